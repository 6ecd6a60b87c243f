# Which token a workspace gets: decided once, used for the clone and kept in the workspace alike.
# A token is never a variable of its own, as tracing shows those; it goes over the stdin of the program that is to have it.

# What takes the environment's tokens away. gh prefers them to its own, each kind for some hosts.
function Get-AwXNoTokens {
    return @{ GH_TOKEN = $null; GITHUB_TOKEN = $null; GH_ENTERPRISE_TOKEN = $null; GITHUB_ENTERPRISE_TOKEN = $null }
}

# The token that gh keeps for a host; '' when there is none.
function Get-AwXKeyring {
    param([string] $GitHost)
    if ($GitHost -eq '') {
        return ''
    }
    $gh = Find-AwXProgram 'gh'
    if ($gh -eq '') {
        return ''
    }
    $environment = Get-AwXNoTokens
    $words = @('auth', 'token', '--hostname', $GitHost)
    return ConvertTo-AwXText (Invoke-AwXProcess -File $gh -Words $words -Environment $environment -Capture -NoInput -NoErrors).Bytes
}

# The token and where it is from: Token ('' for none) and Source (gh, env or none). With a repository, auto takes gh's
# token only when it can see that. The mode only-keyring is for hosts that the environment's token is not meant for.
function Select-AwXToken {
    param([string] $Mode, [string] $GitHost, [string] $Repository)
    $none = @{ Token = ''; Source = 'none' }
    if ($Mode -ceq 'none') {
        return $none
    }
    $chosen = $none
    if ($Mode -cne 'env') {
        $found = @{ Token = (Get-AwXKeyring $GitHost); Source = 'gh' }
        if ($found['Token'] -ne '') {
            $chosen = $found
        }
    }
    if (($Mode -ceq 'auto') -and ($chosen['Source'] -ceq 'gh') -and ($Repository -ne '')) {
        $words = @('api', '--hostname', $GitHost, "repos/$Repository", '--silent')
        $environment = Get-AwXNoTokens
        $probe = Invoke-AwXProcess -File (Find-AwXProgram 'gh') -Words $words -Environment $environment -Capture -NoInput -NoErrors
        if ($probe.Code -ne 0) {
            $chosen = $none
        }
    }
    if (($chosen['Source'] -ceq 'none') -and ($Mode -cne 'only-keyring')) {
        $found = @{ Token = (Get-AwXVariable 'GH_TOKEN'); Source = 'env' }
        if ($found['Token'] -eq '') {
            $found['Token'] = Get-AwXVariable 'GITHUB_TOKEN'
        }
        if ($found['Token'] -ne '') {
            $chosen = $found
            if (($Mode -ceq 'gh') -or ($Mode -ceq 'keyring')) {
                Write-AwXWarning "gh has no token for $GitHost, so that of the environment is used"
            }
        }
    }
    return $chosen
}

# A program's output with the token on its stdin and no token in its environment. The result is that of Invoke-AwXProcess.
function Invoke-AwXWithToken {
    param([string] $Launcher, [string[]] $Words, [System.Collections.IDictionary] $Chosen)
    if ($Chosen['Source'] -ceq 'none') {
        return Invoke-AwXProcess -File $Launcher -Words $Words -Environment (Get-AwXNoTokens) -Capture
    }
    $options = @{ File = $Launcher; Words = $Words; Environment = (Get-AwXNoTokens); Capture = $true }
    return Invoke-AwXProcess @options -Bytes ([System.Text.Encoding]::UTF8.GetBytes($Chosen['Token'] + "`n"))
}

# The launcher's create, with the token that is chosen. Setup says that --setup-git is among the words already.
# The result is that of Invoke-AwXProcess.
function Invoke-AwXCreateWithToken {
    param([string] $Launcher, [string] $Mode, [string] $GitHost, [string] $Repository, [string[]] $Words, [bool] $Setup)
    $chosen = Select-AwXToken $Mode $GitHost $Repository
    $all = [System.Collections.Generic.List[string]]::new()
    foreach ($word in $Words) {
        $all.Add($word)
    }
    if ($chosen['Source'] -cne 'none') {
        Assert-AwXCapability $Launcher @('setup-git-v1', 'token-stdin-flag')
        if (-not $Setup) {
            $all.Add('--setup-git')
        }
        $all.Add('--token-stdin')
    }
    $all.Add('--output')
    $all.Add('json')
    return Invoke-AwXWithToken $Launcher $all $chosen
}

# The launcher's create must mean this workspace by its name. It puts a prefix before a name that has another one, and would
# make a new workspace.
function Assert-AwXSame {
    param([string] $Launcher, [string] $Full)
    $words = @('create', '--plan', '--no-clone', '--name', $Full, '--output', 'json')
    $asked = Invoke-AwXProcess -File $Launcher -Words $words -Environment (Get-AwXNoTokens) -Capture -NoInput
    if ($asked.Code -ne 0) {
        Stop-AwX $asked.Code
    }
    $taken = [string] (Get-AwXField (ConvertFrom-AwXDocument $asked.Bytes) '/workspace')
    if ($taken -eq '') {
        Stop-AwX 1
    }
    if ($taken -cne $Full) {
        Stop-AwXWith 4 "the launcher does not take $Full as it is, but as $taken" 'set AGENT_WORKSPACE_PREFIX to the prefix that its name has'
    }
}

# The create that the document is of must have come back to the workspace that was there.
function Assert-AwXNotMade {
    param([byte[]] $Bytes, [string] $Full)
    $created = Get-AwXField (ConvertFrom-AwXDocument $Bytes) '/created'
    if ($null -eq $created) {
        Stop-AwX 1
    }
    if ($created -eq $true) {
        Stop-AwXWith 4 "$Full was gone meanwhile, and has been made anew without its clone" "agent-workspace rm $Full"
    }
}

# Keeps a token for a host in a workspace. The result is where the token is from.
function Save-AwXToken {
    param([string] $Launcher, [string] $Full, [string] $GitHost, [string] $Mode)
    $chosen = Select-AwXToken $Mode $GitHost ''
    if ($chosen['Source'] -ceq 'none') {
        # Of a further host nobody has said that it needs one.
        if ($Mode -ceq 'only-keyring') {
            return ''
        }
        Stop-AwXWith 6 "there is no token for $GitHost" "gh auth login --hostname $GitHost, or set GH_TOKEN"
    }
    Assert-AwXSame $Launcher $Full
    $words = @('create', '--no-clone', '--name', $Full, '--setup-git', '--host', $GitHost, '--token-stdin', '--output', 'json')
    $kept = Invoke-AwXWithToken $Launcher $words $chosen
    if ($kept.Code -ne 0) {
        Stop-AwX $kept.Code
    }
    Assert-AwXNotMade $kept.Bytes $Full
    return $chosen['Source']
}
