# What a new workspace gets beside its own clone: the private repository, further clones, the image's kit.

# What the launcher makes of the name of a repository: Repo, Host, Url and Path. GitHost is for OWNER/REPO, others have
# their own.
function Read-AwXRepo {
    param([string] $Launcher, [string] $Spec, [string] $GitHost)
    $words = @('parse-repo', $Spec, '--output', 'json')
    if (($GitHost -ne '') -and -not $Spec.Contains(':')) {
        $words = @('parse-repo', $Spec, '--host', $GitHost, '--output', 'json')
    }
    $document = Read-AwXDocument $Launcher $words
    $read = @{}
    foreach ($key in @('Repo', 'Host', 'Url', 'Path')) {
        $value = Get-AwXField $document "/$($key.ToLowerInvariant())"
        if ($null -eq $value) {
            Stop-AwX 1
        }
        $read[$key] = [string] $value
    }
    return $read
}

# A host that has no token yet gets that of gh, when a token is wanted at all.
function Add-AwXFurtherToken {
    param([hashtable] $Task, [string] $GitHost)
    if ($Task['Stored'].Contains($GitHost)) {
        return
    }
    $Task['Stored'].Add($GitHost)
    if (@('env', 'none') -ccontains $Task['Mode']) {
        return
    }
    try {
        $null = Save-AwXToken $Task['Launcher'] $Task['Way']['Full'] $GitHost 'only-keyring'
    } catch {
        # The clone may do without one, and says so if not.
        if (Test-AwXStopped (Get-AwXStopCode $_)) {
            Stop-AwX 130
        }
    }
}

function Add-AwXRepo {
    param([hashtable] $Task, [hashtable] $Repository)
    Add-AwXFurtherToken $Task $Repository['Host']
    $cloned = Invoke-AwXGuest -Way $Task['Way'] -Script 'clone_repo' -Arguments @($Repository['Url'], $Repository['Path'])
    if ($cloned.Code -ne 0) {
        Stop-AwX $cloned.Code
    }
}

function Add-AwXPrivateRepo {
    param([hashtable] $Task, [hashtable] $Repository)
    Add-AwXFurtherToken $Task $Repository['Host']
    $brought = Invoke-AwXGuest -Way $Task['Way'] -Script 'private_repo' -Arguments @($Repository['Url'])
    if ($brought.Code -ne 0) {
        Stop-AwX $brought.Code
    }
}

# What is `add` or `mirror`.
function Update-AwXOpt {
    param([hashtable] $Way, [string] $What)
    $copied = Invoke-AwXGuest -Way $Way -Script 'opt_refresh' -Arguments @($What)
    if ($copied.Code -ne 0) {
        Stop-AwX $copied.Code
    }
}

# Reads every repository before anything is made. Repo and RepoHost are for the token.
function Resolve-AwXCreateTargets {
    param([hashtable] $Task)
    $launcher = $Task['Launcher']
    $first = ''
    $firstHost = Get-AwXGitHost $Task['Host']
    if ($Task['Extras'] -and (($Task['Private'] -ne '') -or ($Task['Repos'].Count -gt 1))) {
        Assert-AwXCapability $launcher @('parse-repo-command')
    }
    $index = 0
    foreach ($spec in $Task['Repos']) {
        $index += 1
        if ($index -gt 1) {
            if (-not $Task['Extras']) {
                break
            }
            $read = Read-AwXRepo $launcher $spec $Task['Host']
            $read['Spec'] = $spec
            $Task['Further'].Add($read)
        } elseif (($Task['Mode'] -cne 'none') -or ($Task['Private'] -ne '')) {
            if (Test-AwXCapability $launcher 'parse-repo-command') {
                $read = Read-AwXRepo $launcher $spec $Task['Host']
                $first = $read['Repo']
                $firstHost = $read['Host']
            } elseif ($spec.Contains(':')) {
                # Whose host it is cannot be said, so no token of gh is for it.
                $firstHost = ''
            } else {
                $first = $spec
            }
        }
    }
    if ($Task['Extras'] -and ($Task['Private'] -ne '')) {
        $Task['PrivateRepo'] = Read-AwXRepo $launcher $Task['Private'] $firstHost
    }
    $Task['Repo'] = $first
    $Task['RepoHost'] = $firstHost
    $Task['Stored'].Add($firstHost)
}

# Each of them may fail for itself. Who stops one of them has stopped all.
function Add-AwXCreateExtras {
    param([hashtable] $Task)
    if ($Task['Created']) {
        try {
            Update-AwXOpt $Task['Way'] 'add'
        } catch {
            Write-AwXCreateFailed $Task $_ 'the kit was not copied'
        }
    }
    if ($Task['Snapshot']) {
        try {
            Send-AwXCreateSnapshot $Task
        } catch {
            $text = 'the configuration was not copied'
            if ($_.Exception.Data['AwXCode'] -eq 8) {
                $text = 'not all of the configuration was copied'
            }
            Write-AwXCreateFailed $Task $_ $text
        }
    }
    if ($null -ne $Task['PrivateRepo']) {
        try {
            Add-AwXPrivateRepo $Task $Task['PrivateRepo']
        } catch {
            Write-AwXCreateFailed $Task $_ "the private repository $($Task['Private']) was not brought"
        }
    }
    foreach ($further in $Task['Further']) {
        try {
            Add-AwXRepo $Task $further
        } catch {
            Write-AwXCreateFailed $Task $_ "$($further['Spec']) was not cloned"
        }
    }
}

# Once for each workspace, which its marker says.
function Send-AwXCreateSnapshot {
    param([hashtable] $Task)
    if (-not [System.IO.Directory]::Exists((Get-AwXFullPath (Get-AwXConfigFolder)))) {
        return
    }
    $from = Get-AwXSnapshotFolder
    $rules = New-AwXSnapshotRules $from @()
    # What was asked for, and what a workspace that was there has.
    foreach ($folder in @($Task['Way']['Secrets'], $Task['Secrets'])) {
        if ($folder -ne '') {
            Add-AwXSnapshotSecrets $rules $folder
        }
    }
    if ((Get-AwXSnapshotState $Task['Way']) -eq '') {
        Send-AwXSnapshot $Task['Way'] $rules
    }
}
