# `open`: says how VS Code on this machine opens a workspace, and does it when asked to.
# The address names the container in hexadecimal JSON, and the folder in percent encoding; both are of UTF-8 bytes.

function Invoke-AwXOpen {
    param([string[]] $Words)
    $run = $false
    $path = ''
    $names = [System.Collections.Generic.List[string]]::new()
    $index = 0
    while ($index -lt $Words.Count) {
        $word = $Words[$index]
        $split = Split-AwXFlag $word
        if (@('-h', '--help') -ccontains $word) {
            Show-AwXHelp 'open'
            return
        } elseif ($word -ceq '--run') {
            $run = $true
        } elseif ($split['Flag'] -ceq '--path') {
            if ($split['Inline']) {
                $path = $split['Value']
            } else {
                Assert-AwXValue '--path' ($Words.Count - $index)
                $index += 1
                $path = $Words[$index]
            }
        } elseif ($word -ceq '--') {
            for ($rest = $index + 1; $rest -lt $Words.Count; $rest += 1) {
                $names.Add($Words[$rest])
            }
            break
        } elseif (Test-AwXFlag $word) {
            Stop-AwXUnknown 'open' $word
        } else {
            $names.Add($word)
        }
        $index += 1
    }
    Assert-AwXOneName 'open' $names
    $launcher = Get-AwXLauncher
    Assert-AwXCapability $launcher @('describe-json')
    $name = Select-AwXWorkspace $launcher $names
    $document = Get-AwXDescription $launcher $name @()
    $full = [string] (Get-AwXField $document '/workspace/workspace')
    $backend = [string] (Get-AwXField $document '/workspace/backend')
    if ($backend -cne 'docker') {
        Stop-AwXWith 9 "VS Code attaches to containers, and $full is not one"
    }
    if ($path -eq '') {
        $path = [string] (Get-AwXField $document '/workspace/path')
    }
    if ($path -eq '') {
        $path = '/work'
    }
    Show-AwXOpenBlock $full $path
    if ($run) {
        if ((Find-AwXProgram 'code') -eq '') {
            Stop-AwXWith 1 'there is no program code on PATH'
        }
        Start-AwXCode $full $path
    }
}

# The docker context that VS Code is to look in.
function Get-AwXDockerContext {
    $context = Get-AwXVariable 'DOCKER_CONTEXT'
    $docker = Find-AwXProgram 'docker'
    if (($context -eq '') -and ($docker -ne '')) {
        $asked = Invoke-AwXProcess -File $docker -Words @('context', 'show') -Capture -NoInput -NoErrors
        $context = ConvertTo-AwXText $asked.Bytes
    }
    if ($context -eq '') {
        return 'default'
    }
    return $context
}

# The address without its scheme.
function Get-AwXOpenAddress {
    param([string] $Full, [string] $Folder)
    $context = (Get-AwXDockerContext).Replace('\', '\\').Replace('"', '\"')
    $json = '{"containerName":"/' + $Full + '","settings":{"context":"' + $context + '"}}'
    $hex = [System.BitConverter]::ToString([System.Text.Encoding]::UTF8.GetBytes($json)).Replace('-', '').ToLowerInvariant()
    $address = [System.Text.StringBuilder]::new("attached-container+$hex")
    foreach ($byte in [System.Text.Encoding]::UTF8.GetBytes($Folder)) {
        $character = [string] [char] $byte
        if (($byte -lt 128) -and ($character -cmatch '\A[A-Za-z0-9/._~-]\z')) {
            [void] $address.Append($character)
        } else {
            # Capital letters are what addresses are compared with.
            [void] $address.Append('%').Append($byte.ToString('X2'))
        }
    }
    return $address.ToString()
}

# The command and the link.
function Show-AwXOpenBlock {
    param([string] $Full, [string] $Folder)
    $address = Get-AwXOpenAddress $Full $Folder
    "code --new-window --folder-uri vscode-remote://$address"
    "vscode://vscode-remote/$address"
}

# Does what the printed command would; with ToErrors, what it prints goes to stderr. Nothing of it is captured: VS Code may
# keep its streams, and who read them would wait for it.
function Start-AwXCode {
    param([string] $Full, [string] $Folder, [switch] $ToErrors)
    $program = Find-AwXProgram 'code'
    $address = Get-AwXOpenAddress $Full $Folder
    $words = @('--new-window', '--folder-uri', "vscode-remote://$address")
    if ($ToErrors -and -not $IsWindows) {
        $words = @('-c', 'exec "$@" >&2', 'sh', $program) + $words
        $program = Find-AwXProgram 'sh'
    }
    $ran = Invoke-AwXProcess -File $program -Words $words -NoInput
    if ($ran.Code -ne 0) {
        Stop-AwX $ran.Code
    }
}
