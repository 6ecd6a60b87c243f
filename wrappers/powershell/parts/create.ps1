# `create`: picks a token and the secrets, has the launcher make the workspace, and then makes it feel like home.
# What its functions share is in one table, which Invoke-AwXCreate makes.

function Invoke-AwXCreate {
    param([string[]] $Words)
    $task = @{
        Verb = $Words[0]; Output = ''; Help = $false; Plan = $false; Tunnel = $false; Setup = $false
        Name = ''; Host = ''; Mode = ''; Profile = ''; Private = ''; Gpg = ''; Key = ''; Open = ''
        Snapshot = $true; Extras = $true; NoWork = $false; NoClone = $false
        Secrets = ''; NoSecrets = $false; SecretsMount = ''
        # What goes to the launcher, in its order, and the repositories.
        Words = [System.Collections.Generic.List[string]]::new()
        Repos = [System.Collections.Generic.List[string]]::new()
        # Of the first repository, for the token; the hosts whose tokens are in the workspace; and what comes after.
        Repo = ''; RepoHost = ''; Stored = [System.Collections.Generic.List[string]]::new()
        PrivateRepo = $null; Further = [System.Collections.Generic.List[object]]::new()
        Launcher = ''; Way = $null; Failures = 0
        # What the launcher says of the workspace, and what is put out of it.
        Answer = ''; Full = ''; Folder = ''; Made = ''; Backend = ''; Created = $false
    }
    Read-AwXCreateArguments $task $Words
    if ($task['Help']) {
        Show-AwXHelp 'create'
        return
    }
    Read-AwXCreateSettings $task
    Find-AwXCreateRepo $task

    $launcher = Get-AwXLauncher
    $task['Launcher'] = $launcher
    if ($task['Plan']) {
        Select-AwXCreateSecrets $task
        if ($task['Output'] -ne '') {
            $task['Words'].Add('--output')
            $task['Words'].Add($task['Output'])
        }
        Invoke-AwXNative -File $launcher -Words (@($task['Verb']) + $task['Words'])
        return
    }
    Assert-AwXCapability $launcher @('output-json', 'transport-v1', 'field-command')
    Select-AwXCreateSecrets $task
    Resolve-AwXCreateTargets $task

    $all = [System.Collections.Generic.List[string]]::new()
    $all.Add($task['Verb'])
    $all.AddRange($task['Words'])
    $made = Invoke-AwXCreateWithToken $launcher $task['Mode'] $task['RepoHost'] $task['Repo'] $all $task['Setup']
    $task['Answer'] = ConvertTo-AwXText $made.Bytes
    $code = $made.Code
    $document = $null
    if ($code -eq 0) {
        $document = ConvertFrom-AwXDocument $made.Bytes
        Read-AwXCreated $task $document ''
        $created = Get-AwXField $document '/created'
        $task['Created'] = $created -eq $true
        if (($task['Full'] -eq '') -or ($task['Folder'] -eq '') -or ($null -eq $created)) {
            Stop-AwX 1
        }
    } elseif ($code -eq 8) {
        # It is there, and its tunnel is not, which the launcher has said. What comes after goes on.
        $document = Find-AwXCreatePartial $task $made.Bytes
    }
    if ($task['Full'] -eq '') {
        if (($task['Output'] -ceq 'json') -and ($task['Answer'] -ne '')) {
            $task['Answer']
        }
        Stop-AwX $code
    }
    $stopped = 0
    try {
        Invoke-AwXCreateRest $task $document
    } catch {
        $stopped = Get-AwXStopCode $_
    }
    if ($task['Failures'] -gt 0) {
        Write-AwXMessage "the workspace $($task['Full']) is there, but not everything was done"
        $code = 8
    }
    if ($stopped -ne 0) {
        Stop-AwX $stopped
    }
    if ($task['Tunnel']) {
        Invoke-AwXCallTunnel @($task['Full'])
        if ($global:LASTEXITCODE -ne 0) {
            return
        }
    }
    if ($code -ne 0) {
        Stop-AwX $code
    }
}

# What a document says of the workspace. Before is what its pointers begin with.
function Read-AwXCreated {
    param([hashtable] $Task, [object] $Document, [string] $Before)
    $Task['Full'] = [string] (Get-AwXField $Document "$Before/workspace")
    $Task['Folder'] = [string] (Get-AwXField $Document "$Before/path")
    $Task['Made'] = [string] (Get-AwXField $Document "$Before/repo")
    $Task['Backend'] = [string] (Get-AwXField $Document "$Before/backend")
}

# The same of a workspace that only the launcher's error names. The result is its description; nothing when there is none.
function Find-AwXCreatePartial {
    param([hashtable] $Task, [byte[]] $Bytes)
    try {
        $failed = ConvertFrom-AwXDocument $Bytes
        $name = [string] (Get-AwXField $failed '/error/details/workspace')
        if ($name -eq '') {
            return
        }
        $Task['Created'] = (Get-AwXField $failed '/error/details/created') -eq $true
        $document = Get-AwXDescription $Task['Launcher'] $name @()
    } catch {
        $null = Get-AwXStopCode $_
        return
    }
    Read-AwXCreated $Task $document '/workspace'
    if ($Task['Folder'] -eq '') {
        $Task['Full'] = ''
    }
    return $document
}

# What comes after.
function Invoke-AwXCreateRest {
    param([hashtable] $Task, [object] $Document)
    if ($Task['Extras'] -or ($Task['Gpg'] -ceq 'yes')) {
        $Task['Way'] = Get-AwXWay $Document $Task['Full'] $Task['Folder']
    }
    if ($Task['Extras']) {
        Add-AwXCreateExtras $Task
    }
    if ($Task['Gpg'] -ceq 'yes') {
        $key = $Task['Key']
        try {
            $key = Find-AwXGpgKey $key
            Assert-AwXGpgKey $key
            Send-AwXGpgKey $Task['Way'] $key
        } catch {
            $known = ''
            if ($key -ne '') {
                $known = "$key "
            }
            Write-AwXCreateFailed $Task $_ "the key ${known}was not imported"
        }
    }
    Show-AwXCreated $Task
    if ($Task['Open'] -ceq 'yes') {
        Open-AwXCreated $Task['Full'] $Task['Folder'] $Task['Backend']
    }
}

# What is on stdout.
function Show-AwXCreated {
    param([hashtable] $Task)
    if ($Task['Output'] -ceq 'json') {
        $Task['Answer']
        return
    }
    $repo = $Task['Made']
    if ($repo -eq '') {
        $repo = '(none)'
    }
    ConvertTo-AwXPlain "workspace: $($Task['Full'])"
    ConvertTo-AwXPlain "repo: $repo"
    ConvertTo-AwXPlain "path: $($Task['Folder'])"
    ConvertTo-AwXPlain "enter: agent-workspace shell $($Task['Full'])"
    if ($Task['Backend'] -ceq 'docker') {
        Show-AwXOpenBlock $Task['Full'] $Task['Folder']
    }
}

# A convenience, so that its failure is said and changes nothing.
function Open-AwXCreated {
    param([string] $Full, [string] $Folder, [string] $Backend)
    if ($Backend -cne 'docker') {
        Write-AwXWarning "VS Code attaches to containers, and $Full is not one"
        return
    }
    if ((Find-AwXProgram 'code') -eq '') {
        Write-AwXWarning 'there is no program code on PATH'
        return
    }
    try {
        Start-AwXCode $Full $Folder -ToErrors
    } catch {
        $null = Get-AwXStopCode $_
        Write-AwXWarning 'it was not opened in VS Code'
    }
}

# Something that comes after was not done; the rest goes on, unless somebody has stopped it.
function Write-AwXCreateFailed {
    param([hashtable] $Task, [System.Management.Automation.ErrorRecord] $Caught, [string] $Text)
    $code = Get-AwXStopCode $Caught
    Write-AwXWarning $Text
    $Task['Failures'] = $Task['Failures'] + 1
    if (Test-AwXStopped $code) {
        Stop-AwX $code
    }
}

# Takes out what is the wrapper's; the rest is left in Words, in its order, for the launcher.
function Read-AwXCreateArguments {
    param([hashtable] $Task, [string[]] $Words)
    $valued = @('--private-repo', '--codex-profile', '--gpg-key', '--auth', '--output')
    $index = 1
    while ($index -lt $Words.Count) {
        $word = $Words[$index]
        $split = Split-AwXFlag $word
        $flag = $split['Flag']
        $value = $split['Value']
        $handed = @($word)
        if ($flag -ceq '--') {
            for ($rest = $index + 1; $rest -lt $Words.Count; $rest += 1) {
                Add-AwXCreateRepo $Task $Words[$rest]
            }
            return
        }
        if ($valued -ccontains $flag) {
            if (-not $split['Inline']) {
                Assert-AwXValue $flag ($Words.Count - $index)
                $index += 1
                $value = $Words[$index]
            }
        } elseif (Test-AwXFlag $flag) {
            if (-not (Test-AwXTakesValue 'create' $flag)) {
                # One that takes no value and was given one is left whole, for the launcher to refuse.
                $flag = $word
            } elseif (-not $split['Inline']) {
                Assert-AwXValue $flag ($Words.Count - $index)
                $index += 1
                $value = $Words[$index]
                $handed = @($word, $value)
            }
        }
        switch -CaseSensitive ($flag) {
            '-h' { $Task['Help'] = $true; return }
            '--help' { $Task['Help'] = $true; return }
            '--no-work-repos' { $Task['NoWork'] = $true; $Task['Words'].Add('--no-clone') }
            '--no-extras' { $Task['Extras'] = $false }
            '--no-snapshot' { $Task['Snapshot'] = $false }
            '--private-repo' { $Task['Private'] = $value }
            '--codex-profile' { Assert-AwXProfile $value; $Task['Profile'] = $value }
            '--gpg' { $Task['Gpg'] = 'yes' }
            '--no-gpg' { $Task['Gpg'] = 'no' }
            '--gpg-key' { $Task['Gpg'] = 'yes'; $Task['Key'] = $value }
            '--auth' {
                $Task['Mode'] = $value
                Assert-AwXWord '--auth' $value @('auto', 'gh', 'keyring', 'env', 'none')
            }
            '--open' { $Task['Open'] = 'yes' }
            '--no-open' { $Task['Open'] = 'no' }
            '--output' {
                if ($value -eq '') {
                    $value = 'text'
                }
                $Task['Output'] = $value
                Assert-AwXWord '--output' $value @('text', 'json')
            }
            '--tunnel' { $Task['Tunnel'] = $true }
            '--setup-git' { $Task['Setup'] = $true }
            default {
                if (Test-AwXFlag $flag) {
                    Read-AwXCreateLauncherFlag $Task $flag $value
                    foreach ($part in $handed) {
                        $Task['Words'].Add($part)
                    }
                } else {
                    Add-AwXCreateRepo $Task $word
                }
            }
        }
        $index += 1
    }
}

# What the wrapper has to know of the launcher's own flags.
function Read-AwXCreateLauncherFlag {
    param([hashtable] $Task, [string] $Flag, [string] $Value)
    switch -CaseSensitive ($Flag) {
        '--plan' { $Task['Plan'] = $true }
        '--no-clone' { $Task['NoClone'] = $true }
        '--name' { $Task['Name'] = $Value }
        '--host' { $Task['Host'] = $Value }
        '--secrets-dir' { $Task['Secrets'] = $Value }
        '--secrets-mount' { $Task['SecretsMount'] = $Value }
        '--no-secrets' { $Task['NoSecrets'] = $true }
    }
}

# The first one is the launcher's, the others are cloned afterwards.
function Add-AwXCreateRepo {
    param([hashtable] $Task, [string] $Spec)
    if (Test-AwXFlag $Spec) {
        Stop-AwXUsage 'create' "'$Spec' is not a repository"
    }
    Assert-AwXAddress $Spec
    if ($Task['Repos'].Count -eq 0) {
        $Task['Words'].Add($Spec)
    }
    $Task['Repos'].Add($Spec)
}

# An address in its parts: Scheme, Authority and Rest, the latter with its slash. Without a scheme that is ''.
function Split-AwXAddress {
    param([string] $Address)
    $scheme = ''
    $rest = $Address
    $at = $Address.IndexOf('://', [System.StringComparison]::Ordinal)
    if ($at -ge 0) {
        $scheme = $Address.Substring(0, $at)
        $rest = $Address.Substring($at + 3)
    }
    $authority = $rest.Split('/')[0]
    return @{ Scheme = $scheme; Authority = $authority; Rest = $rest.Substring($authority.Length) }
}

# A repository's address may hold neither a password nor, over HTTP, a user. The launcher refuses it too, but then it was in
# an argument, which everybody on this machine can read; here it is not even repeated.
function Assert-AwXAddress {
    param([string] $Spec)
    $parts = Split-AwXAddress $Spec
    $way = "$($parts['Scheme']):$($parts['Authority'])"
    if ($way -cmatch '(?s)\A(?i:https?):.*@|:.*:.*@') {
        Stop-AwXWith 2 "a repository's address must not hold a user or a password"
    }
}

# What the environment says, and whether everything fits together. Nothing is touched before.
function Read-AwXCreateSettings {
    param([hashtable] $Task)
    $Task['Mode'] = Get-AwXAuthMode $Task['Mode']
    $Task['Profile'] = Get-AwXProfile $Task['Profile']
    $setting = Get-AwXCheckedSetting 'GPG' @('import', 'true', 'none', 'false')
    if (($Task['Gpg'] -eq '') -and (@('import', 'true') -ccontains $setting)) {
        $Task['Gpg'] = 'yes'
    }
    $setting = Get-AwXCheckedSetting 'OPEN_VSCODE' @('true', 'false')
    if ($setting -eq '') {
        $setting = Get-AwXCheckedSetting 'OPEN_VSCODE_ENABLED' @('true', 'false')
    }
    if (($Task['Open'] -eq '') -and ($setting -ceq 'true')) {
        $Task['Open'] = 'yes'
    }
    if ($Task['Private'] -eq '') {
        $Task['Private'] = Get-AwXSetting 'PRIVATE_REPO'
    }
    Assert-AwXAddress $Task['Private']
    if ($Task['NoWork'] -and ($Task['Repos'].Count -gt 0)) {
        Stop-AwXUsage 'create' '--no-work-repos and a REPO cannot go together'
    }
    if ($Task['NoWork'] -and ($Task['Name'] -eq '')) {
        Stop-AwXUsage 'create' '--no-work-repos needs --name'
    }
    if ($Task['Tunnel'] -and ($Task['Output'] -ceq 'json')) {
        Stop-AwXWith 2 '--tunnel and --output json cannot go together' 'agent-workspace create --tunnel-detach'
    }
}

# Without a repository, the git remote of the current folder is meant.
function Find-AwXCreateRepo {
    param([hashtable] $Task)
    if ($Task['NoWork'] -or $Task['NoClone'] -or ($Task['Repos'].Count -gt 0)) {
        return
    }
    $url = ''
    $git = Find-AwXProgram 'git'
    if ($git -ne '') {
        $url = Read-AwXGit $git @('remote', 'get-url', 'origin')
        if ($url -eq '') {
            $remote = (Read-AwXGit $git @('remote')).Split("`n")[0].TrimEnd("`r")
            if ($remote -ne '') {
                $url = Read-AwXGit $git @('remote', 'get-url', $remote)
            }
        }
    }
    if ($url -eq '') {
        Stop-AwXWith 2 'no repository was named, and there is no git remote here' 'agent-workspace create OWNER/REPO'
    }
    # A user or a password that git keeps in the address is nobody else's business. Over ssh a user is part of the way.
    $parts = Split-AwXAddress $url
    if ($parts['Scheme'] -ne '') {
        $way = "$($parts['Scheme']):$($parts['Authority'])"
        $machine = $parts['Authority'].Substring($parts['Authority'].LastIndexOf([char] '@') + 1)
        if ($way -cmatch '(?s)\A(?i:https?):.*@') {
            $url = "$($parts['Scheme'])://$machine$($parts['Rest'])"
        } elseif ($way -cmatch '(?s):.*:.*@') {
            $url = "$($parts['Scheme'])://$($parts['Authority'].Split(':')[0])@$machine$($parts['Rest'])"
        }
    }
    Add-AwXCreateRepo $Task $url
}

# What git prints, '' when it fails.
function Read-AwXGit {
    param([string] $Git, [string[]] $Words)
    $asked = Invoke-AwXProcess -File $Git -Words $Words -Capture -NoInput -NoErrors
    if ($asked.Code -ne 0) {
        return ''
    }
    return ConvertTo-AwXText $asked.Bytes
}

# The folder of the host's configuration.
function Get-AwXConfigFolder {
    $folder = Get-AwXVariable 'XDG_CONFIG_HOME'
    if ($folder -eq '') {
        $folder = [System.IO.Path]::Combine((Get-AwXHome), '.config')
    }
    return $folder
}

# Which folder of secrets is mounted, and the profile out of it.
function Select-AwXCreateSecrets {
    param([hashtable] $Task)
    $default = Get-AwXSetting 'SECRETS_DIR'
    if ($default -eq '') {
        $default = [System.IO.Path]::Combine((Get-AwXConfigFolder), 'codex_secrets')
    }
    if (($Task['Secrets'] -eq '') -and -not $Task['NoSecrets']) {
        if ([System.IO.Directory]::Exists((Get-AwXFullPath $default))) {
            $Task['Words'].Add('--secrets-dir')
            $Task['Words'].Add($default)
            if (($Task['SecretsMount'] -eq '') -and ((Get-AwXVariable 'DEFAULT_SECRETS_MOUNT') -eq '')) {
                $Task['Words'].Add('--secrets-mount')
                $Task['Words'].Add('/home/agent/codex_secrets')
            }
        } elseif ($Task['Profile'] -ne '') {
            Stop-AwXWith 1 "a profile needs the folder of secrets, and there is none at $default" 'make it, or name another with AGENT_WORKSPACE_SECRETS_DIR'
        }
    }
    if ($Task['Profile'] -ne '') {
        Assert-AwXCapability $Task['Launcher'] @('codex-profile-v1')
        $Task['Words'].Add('--codex-profile')
        $Task['Words'].Add($Task['Profile'])
    }
    if ($Task['Setup']) {
        $Task['Words'].Add('--setup-git')
    }
}
