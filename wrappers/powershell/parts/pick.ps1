# Which workspace is meant, and the way into it. Both are read from the launcher's documents.

# One value of a document, at a JSON Pointer without escapes; nothing when there is none. A list belongs into @().
function Get-AwXField {
    param([object] $Document, [string] $Pointer)
    $node = $Document
    foreach ($key in $Pointer.Substring(1).Split('/')) {
        if ($node -isnot [System.Collections.IDictionary]) {
            return
        }
        if (-not $node.Contains($key)) {
            return
        }
        $node = $node[$key]
    }
    # A null that was put out would count as one value.
    if ($null -ne $node) {
        return $node
    }
}

# A document that the launcher has printed.
function ConvertFrom-AwXDocument {
    param([byte[]] $Bytes)
    $text = ConvertTo-AwXText $Bytes
    return Microsoft.PowerShell.Utility\ConvertFrom-Json -InputObject $text -AsHashtable
}

# Runs the launcher for a document. When it fails, the command ends with its exit code.
function Read-AwXDocument {
    param([string] $Launcher, [string[]] $Words)
    $asked = Invoke-AwXProcess -File $Launcher -Words $Words -Capture -NoInput
    if ($asked.Code -ne 0) {
        Stop-AwX $asked.Code
    }
    return ConvertFrom-AwXDocument $asked.Bytes
}

# A name as it is, else that of the only workspace. Names holds one or none.
function Select-AwXWorkspace {
    param([string] $Launcher, [string[]] $Names)
    foreach ($name in $Names) {
        return $name
    }
    $document = Read-AwXDocument $Launcher @('ls', '--output', 'json')
    $rows = @(Get-AwXField $document '/workspaces')
    if ($rows.Count -eq 0) {
        Stop-AwXWith 3 'there is no workspace' 'agent-workspace create OWNER/REPO'
    }
    if ($rows.Count -eq 1) {
        return [string] $rows[0]['workspace']
    }
    Write-AwXMessage 'several workspaces are there; name one:'
    foreach ($row in $rows) {
        $line = "  $($row['workspace'])  $($row['status'])"
        $repo = [string] $row['repo']
        if ($repo -ne '') {
            $line = "$line  $repo"
        }
        Write-AwXLine $line
    }
    Stop-AwX 2
}

# What the workspace is.
function Get-AwXDescription {
    param([string] $Launcher, [string] $Name, [string[]] $Flags)
    $words = [System.Collections.Generic.List[string]]::new()
    $words.Add('describe')
    $words.Add($Name)
    foreach ($flag in $Flags) {
        $words.Add($flag)
    }
    $words.Add('--output')
    $words.Add('json')
    $document = Read-AwXDocument $Launcher $words
    if ($null -eq (Get-AwXField $document '/workspace/workspace')) {
        Stop-AwX 1
    }
    return $document
}

# The way in, from a document of `describe` or `create`: Full, Folder, Exec, Tty and Quoting; and Secrets, the folder of
# this machine that is mounted, '' when there is none.
function Get-AwXWay {
    param([object] $Document, [string] $Full, [string] $Folder)
    $exec = [string[]] @(Get-AwXField $Document '/transport/exec')
    $tty = [string[]] @(Get-AwXField $Document '/transport/tty')
    $quoting = Get-AwXField $Document '/transport/quoting'
    if (($exec.Count -eq 0) -or ($tty.Count -eq 0) -or ($null -eq $quoting)) {
        Stop-AwXWith 1 'the launcher does not say how to get in'
    }
    $secrets = [string] (Get-AwXField $Document '/secrets/dir')
    return @{
        Full = $Full; Folder = $Folder; Exec = $exec; Tty = $tty; Quoting = [string] $quoting; Secrets = $secrets
    }
}

# The way into a workspace; one that does not run is started.
function Enter-AwXWorkspace {
    param([string] $Launcher, [string] $Name, [string[]] $Flags)
    $document = Get-AwXDescription $Launcher $Name $Flags
    $full = [string] (Get-AwXField $document '/workspace/workspace')
    # Empty when the launcher does not know.
    $folder = [string] (Get-AwXField $document '/workspace/path')
    $way = Get-AwXWay $document $full $folder
    if ((Get-AwXField $document '/workspace/status') -cne 'running') {
        $started = Invoke-AwXProcess -File $Launcher -Words @('start', $full) -Capture -NoInput
        [Console]::Error.Write([System.Text.Encoding]::UTF8.GetString($started.Bytes))
        if ($started.Code -ne 0) {
            Stop-AwX $started.Code
        }
    }
    return $way
}

# One word of a shell on the other side, whatever is in it.
function ConvertTo-AwXQuoted {
    param([string] $Word)
    return "'" + $Word.Replace("'", "'\''") + "'"
}

# What runs the words in the workspace, each as it is: the program first.
function Get-AwXInside {
    param([hashtable] $Way, [string[]] $Words, [bool] $Terminal)
    $all = [System.Collections.Generic.List[string]]::new()
    $front = $Way['Exec']
    if ($Terminal) {
        $front = $Way['Tty']
    }
    foreach ($word in $front) {
        $all.Add($word)
    }
    if ($Way['Quoting'] -ceq 'argv') {
        foreach ($word in $Words) {
            $all.Add($word)
        }
    } else {
        $quoted = foreach ($word in $Words) {
            ConvertTo-AwXQuoted $word
        }
        $all.Add(@($quoted) -join ' ')
    }
    return , $all
}

# How the words are started in the workspace.
function New-AwXInsideStart {
    param([hashtable] $Way, [string[]] $Words)
    $all = Get-AwXInside -Way $Way -Words $Words
    $rest = $all.GetRange(1, $all.Count - 1)
    return New-AwXStart -File (Find-AwXTransport $all[0]) -Words $rest
}

# Runs the words in the workspace and captures what they print; Bytes are what they read, by default nothing.
function Invoke-AwXInside {
    param([hashtable] $Way, [string[]] $Words, [byte[]] $Bytes)
    $all = Get-AwXInside -Way $Way -Words $Words
    $rest = $all.GetRange(1, $all.Count - 1)
    return Invoke-AwXProcess -File (Find-AwXTransport $all[0]) -Words $rest -Bytes $Bytes -Capture -NoInput
}

# The words that run guest/SCRIPT.sh.
function Get-AwXGuestWords {
    param([string] $Script, [string[]] $Arguments)
    $words = [System.Collections.Generic.List[string]]::new()
    $words.Add('sh')
    $words.Add('-c')
    $words.Add((Get-AwXShared "guest/$Script.sh"))
    $words.Add($Script)
    foreach ($word in $Arguments) {
        $words.Add($word)
    }
    return , $words
}

# Runs a guest script in the workspace, as Invoke-AwXInside does.
function Invoke-AwXGuest {
    param([hashtable] $Way, [string] $Script, [string[]] $Arguments, [byte[]] $Bytes)
    $words = Get-AwXGuestWords $Script $Arguments
    return Invoke-AwXInside -Way $Way -Words $words -Bytes $Bytes
}

# The file of the program that leads inside; a path is taken as it is.
function Find-AwXTransport {
    param([string] $Name)
    if ([System.IO.Path]::IsPathRooted($Name)) {
        return $Name
    }
    $program = Find-AwXProgram $Name
    if ($program -eq '') {
        Stop-AwXWith 1 "there is no program $Name on the PATH"
    }
    return $program
}
