# `auth`: gives a workspace a login for a git host, for codex, or a key to sign with.
# Nothing here makes a workspace: its full name comes from `describe` before anything is stored under it.

function Invoke-AwXAuth {
    param([string[]] $Words)
    if ($Words.Count -eq 0) {
        Show-AwXHelp 'auth'
        return
    }
    $provider = $Words[0]
    if (@('', 'github', 'codex', 'gpg') -cnotcontains $provider) {
        Stop-AwXUsage 'auth' "auth is github, codex or gpg, not: $provider"
    }
    if ($provider -eq '') {
        Show-AwXHelp 'auth'
        return
    }
    $own = @{ github = @('--name', '--host', '--auth'); codex = @('--name', '--profile'); gpg = @('--name', '--key') }
    $said = @{ '--host' = ''; '--auth' = ''; '--profile' = ''; '--key' = '' }
    $names = [System.Collections.Generic.List[string]]::new()
    $index = 1
    while ($index -lt $Words.Count) {
        $word = Split-AwXFlag $Words[$index]
        $flag = $word['Flag']
        $value = $word['Value']
        if (@('-h', '--help') -ccontains $flag) {
            Show-AwXHelp 'auth'
            return
        }
        if ($flag -ceq '--') {
            for ($rest = $index + 1; $rest -lt $Words.Count; $rest += 1) {
                $names.Add($Words[$rest])
            }
            break
        }
        if ($own[$provider] -ccontains $flag) {
            if (-not $word['Inline']) {
                Assert-AwXValue $flag ($Words.Count - $index)
                $index += 1
                $value = $Words[$index]
            }
            if ($flag -ceq '--name') {
                $names.Add($value)
            } else {
                $said[$flag] = $value
            }
            if ($flag -ceq '--auth') {
                Assert-AwXWord '--auth' $value @('auto', 'gh', 'keyring', 'env', 'none')
            } elseif ($flag -ceq '--profile') {
                Assert-AwXProfile $value
            }
        } elseif (Test-AwXFlag $flag) {
            Stop-AwXUnknown 'auth' $flag $provider
        } else {
            $names.Add($Words[$index])
        }
        $index += 1
    }
    Assert-AwXOneName 'auth' $names
    switch ($provider) {
        'github' { Invoke-AwXAuthGithub $names $said['--host'] $said['--auth'] }
        'codex' { Invoke-AwXAuthCodex $names $said['--profile'] }
        'gpg' { Invoke-AwXAuthGpg $names $said['--key'] }
    }
}

# The mode of the environment, when none was named.
function Get-AwXAuthMode {
    param([string] $Mode)
    if ($Mode -ne '') {
        return $Mode
    }
    $named = Get-AwXCheckedSetting 'AUTH' @('auto', 'gh', 'keyring', 'env', 'none')
    if ($named -eq '') {
        return 'auto'
    }
    return $named
}

# The host of a repository without one.
function Get-AwXGitHost {
    param([string] $Named)
    if ($Named -ne '') {
        return $Named
    }
    $default = Get-AwXVariable 'GITHUB_HOST'
    if ($default -ne '') {
        return $default
    }
    return 'github.com'
}

# The profile of the environment, when none was named; '' when there is none.
function Get-AwXProfile {
    param([string] $Named)
    if ($Named -ne '') {
        return $Named
    }
    $default = Get-AwXSetting 'CODEX_PROFILE'
    if ($default -ne '') {
        Assert-AwXProfile $default
    }
    return $default
}

function Invoke-AwXAuthGithub {
    param([string[]] $Names, [string] $Named, [string] $Mode)
    $chosen = Get-AwXAuthMode $Mode
    $gitHost = Get-AwXGitHost $Named
    $launcher = Get-AwXLauncher
    Assert-AwXCapability $launcher @('output-json', 'describe-json', 'create-plan', 'setup-git-v1', 'token-stdin-flag')
    $name = Select-AwXWorkspace $launcher $Names
    $document = Get-AwXDescription $launcher $name @()
    $full = [string] (Get-AwXField $document '/workspace/workspace')
    $origin = Save-AwXToken $launcher $full $gitHost $chosen
    "auth: github -> $full ($gitHost; source=$origin)"
}

function Invoke-AwXAuthCodex {
    param([string[]] $Names, [string] $Named)
    $chosen = Get-AwXProfile $Named
    $file = Get-AwXVariable 'CODEX_AUTH_FILE'
    if ($file -eq '') {
        $file = [System.IO.Path]::Combine((Get-AwXHome), '.codex', 'auth.json')
    }
    if (($chosen -eq '') -and -not [System.IO.File]::Exists((Get-AwXFullPath $file))) {
        Stop-AwXWith 1 "there is no login file $file" 'log in with codex here first, or name a profile: agent-workspace auth codex --profile PROFILE'
    }
    $launcher = Get-AwXLauncher
    if ($chosen -eq '') {
        Assert-AwXCapability $launcher @('describe-json', 'transport-v1')
        $name = Select-AwXWorkspace $launcher $Names
        $way = Enter-AwXWorkspace $launcher $name @()
        $bytes = [System.IO.File]::ReadAllBytes((Get-AwXFullPath $file))
        $stored = Invoke-AwXGuest -Way $way -Script 'codex_auth' -Arguments @([string] $bytes.Length) -Bytes $bytes
        if ($stored.Code -ne 0) {
            Stop-AwX $stored.Code
        }
        "auth: codex -> $($way['Full']) (file)"
        return
    }
    Assert-AwXCapability $launcher @('output-json', 'describe-json', 'create-plan', 'codex-profile-v1')
    $name = Select-AwXWorkspace $launcher $Names
    $document = Get-AwXDescription $launcher $name @()
    $full = [string] (Get-AwXField $document '/workspace/workspace')
    $secrets = Get-AwXField $document '/secrets/dir'
    $mount = Get-AwXField $document '/secrets/mount'
    if ($null -eq $secrets) {
        Stop-AwXWith 1 "$full has no folder of secrets, so there is no profile to apply" 'secrets are mounted when a workspace is made: agent-workspace create --secrets-dir DIR'
    }
    if ($null -eq $mount) {
        Stop-AwX 1
    }
    Assert-AwXSame $launcher $full
    $words = @(
        'create', '--no-clone', '--name', $full, '--secrets-dir', $secrets, '--secrets-mount', $mount,
        '--codex-profile', $chosen, '--output', 'json')
    $applied = Invoke-AwXProcess -File $launcher -Words $words -Capture -NoInput
    if ($applied.Code -ne 0) {
        Stop-AwX $applied.Code
    }
    Assert-AwXNotMade $applied.Bytes $full
    "auth: codex -> $full (profile=$chosen)"
}

function Invoke-AwXAuthGpg {
    param([string[]] $Names, [string] $Named)
    $key = Find-AwXGpgKey $Named
    Assert-AwXGpgKey $key
    $launcher = Get-AwXLauncher
    Assert-AwXCapability $launcher @('describe-json', 'transport-v1')
    $name = Select-AwXWorkspace $launcher $Names
    $way = Enter-AwXWorkspace $launcher $name @()
    Send-AwXGpgKey $way $key
    "auth: gpg -> $($way['Full']) (key=$key)"
}

# The key that is meant when none was named; '' when there is none.
function Find-AwXGpgKey {
    param([string] $Named)
    $key = $Named
    if ($key -eq '') {
        $key = Get-AwXSetting 'GPG_KEY'
    }
    $git = Find-AwXProgram 'git'
    if (($key -eq '') -and ($git -ne '')) {
        # With ssh it signs with another kind of key, which lies in a file.
        $asked = Invoke-AwXProcess -File $git -Words @('config', '--global', 'gpg.format') -Capture -NoInput
        if ((ConvertTo-AwXText $asked.Bytes) -cne 'ssh') {
            $asked = Invoke-AwXProcess -File $git -Words @('config', '--global', 'user.signingkey') -Capture -NoInput
            $key = ConvertTo-AwXText $asked.Bytes
        }
    }
    return $key
}

# There is a key, and there is gpg.
function Assert-AwXGpgKey {
    param([string] $Key)
    if ($Key -eq '') {
        Stop-AwXWith 2 'no key was named, and git has none to sign with' 'agent-workspace auth gpg --key KEY'
    }
    if ((Find-AwXProgram 'gpg') -eq '') {
        Stop-AwXWith 1 'gpg is not installed here'
    }
}

# The key goes through a pipe and is never in a file of this machine. Both sides must succeed.
function Send-AwXGpgKey {
    param([hashtable] $Way, [string] $Key)
    $words = @('--batch', '--armor', '--export-secret-keys', '--', $Key)
    $from = New-AwXStart -File (Find-AwXProgram 'gpg') -Words $words
    $to = New-AwXInsideStart -Way $Way -Words (Get-AwXGuestWords 'gpg_import' @($Key))
    $codes = Invoke-AwXPipe -From $from -To $to
    if ($codes.To -ne 0) {
        Stop-AwX $codes.To
    }
    if ($codes.From -ne 0) {
        Stop-AwX $codes.From
    }
}
