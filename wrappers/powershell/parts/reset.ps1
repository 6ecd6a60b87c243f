# `reset`: makes clones in a workspace what their remotes have, after showing what that loses.
# Every clone is looked at first, and nothing is touched when a remote cannot be asked. guest/reset_repo.sh does both.

function Invoke-AwXReset {
    param([string[]] $Words)
    $kind = ''
    if ($Words.Count -gt 0) {
        $kind = $Words[0]
    }
    if (@('', '-h', '--help') -ccontains $kind) {
        Show-AwXHelp 'reset'
        return
    }
    if (@('repo', 'work-repos', 'opt-repos', 'private-repo') -cnotcontains $kind) {
        Stop-AwXUsage 'reset' "reset is repo, work-repos, opt-repos or private-repo, not: $kind"
    }
    $valued = @('--ref')
    if ($kind -ceq 'work-repos') {
        $valued = @('--ref', '--root', '--depth')
    }
    $said = @{ '--ref' = ''; '--root' = '/work'; '--depth' = '3' }
    $yes = $false
    $names = [System.Collections.Generic.List[string]]::new()
    $clones = [System.Collections.Generic.List[string]]::new()
    $index = 1
    while ($index -lt $Words.Count) {
        $word = Split-AwXFlag $Words[$index]
        $flag = $word['Flag']
        if (@('-h', '--help') -ccontains $flag) {
            Show-AwXHelp 'reset'
            return
        } elseif ($valued -ccontains $flag) {
            if ($word['Inline']) {
                $said[$flag] = $word['Value']
            } else {
                Assert-AwXValue $flag ($Words.Count - $index)
                $index += 1
                $said[$flag] = $Words[$index]
            }
        } elseif (@('-y', '--yes') -ccontains $flag) {
            if ($word['Inline']) {
                Stop-AwXUnknown 'reset' $Words[$index] $kind
            }
            $yes = $true
        } elseif ($flag -ceq '--') {
            for ($rest = $index + 1; $rest -lt $Words.Count; $rest += 1) {
                $names.Add($Words[$rest])
            }
            break
        } elseif (Test-AwXFlag $flag) {
            Stop-AwXUnknown 'reset' $flag $kind
        } else {
            $names.Add($Words[$index])
        }
        $index += 1
    }
    if ($said['--depth'] -cnotmatch '\A[1-9][0-9]{0,2}\z') {
        Stop-AwXWith 2 "--depth is a number from 1, not: $($said['--depth'])"
    }
    if (-not $said['--root'].StartsWith('/', [System.StringComparison]::Ordinal)) {
        Stop-AwXWith 2 "--root is a path from /, not: $($said['--root'])"
    }
    # The last word of `repo` is the clone.
    if ($kind -ceq 'repo') {
        if ($names.Count -eq 0) {
            Stop-AwXUsage 'reset' 'reset repo needs DIR'
        }
        if ($names.Count -gt 2) {
            Stop-AwXUsage 'reset' 'reset repo takes NAME and DIR'
        }
        $clone = $names[$names.Count - 1]
        $names.RemoveAt($names.Count - 1)
        if (-not $clone.StartsWith('/', [System.StringComparison]::Ordinal)) {
            $clone = "/work/$clone"
        }
        $clones.Add($clone)
    } else {
        Assert-AwXOneName 'reset' $names
    }
    $launcher = Get-AwXLauncher
    Assert-AwXCapability $launcher @('describe-json', 'transport-v1')
    $name = Select-AwXWorkspace $launcher $names
    $way = Enter-AwXWorkspace $launcher $name @()
    switch ($kind) {
        'work-repos' { $clones = Find-AwXClones $way $said['--root'] $said['--depth'] '' }
        'opt-repos' { $clones = Find-AwXClones $way '/opt' '1' '\A/opt/(agent-kit|codex-kit|zsh-kit)\z' }
        # The workspace knows where its home is.
        'private-repo' { $clones.Add('~/.private') }
    }
    if ($clones.Count -eq 0) {
        $root = $said['--root']
        if ($kind -ceq 'opt-repos') {
            $root = '/opt'
        }
        Write-AwXMessage "there is no clone below $root"
        return
    }
    Reset-AwXClones $way $kind $clones $said['--ref'] $yes
    if ($kind -ceq 'opt-repos') {
        Update-AwXOpt $way 'mirror'
    }
}

# The folders of clones below a folder, of these only what fits the pattern.
function Find-AwXClones {
    param([hashtable] $Way, [string] $Root, [string] $Depth, [string] $Pattern)
    $found = Invoke-AwXGuest -Way $Way -Script 'find_repos' -Arguments @($Root, $Depth)
    if ($found.Code -ne 0) {
        Stop-AwX $found.Code
    }
    $clones = [System.Collections.Generic.List[string]]::new()
    foreach ($line in (ConvertTo-AwXLines $found.Bytes)) {
        if (($line -ne '') -and ($line -cmatch $Pattern)) {
            $clones.Add($line)
        }
    }
    return , $clones
}

# Looks at all clones, asks once, and resets them.
function Reset-AwXClones {
    param([hashtable] $Way, [string] $Kind, [string[]] $Clones, [string] $Ref, [bool] $Yes)
    $ready = [System.Collections.Generic.List[string]]::new()
    $failures = 0
    foreach ($clone in $Clones) {
        $looked = Invoke-AwXGuest -Way $Way -Script 'reset_repo' -Arguments @('look', $clone, $Ref)
        if ($looked.Code -ne 0) {
            if (Test-AwXStopped $looked.Code) {
                Stop-AwX $looked.Code
            }
            if (($Kind -ceq 'private-repo') -and ($looked.Code -eq 3) -and ($Ref -eq '')) {
                Write-AwXHint 'create brings it in: --private-repo REPO, or AGENT_WORKSPACE_PRIVATE_REPO'
            }
            # What cannot be fetched says that nothing may be touched; and of one clone nothing is left to do.
            if ($looked.Code -eq 7) {
                Stop-AwXWith 7 'nothing was done'
            }
            if ($Clones.Count -eq 1) {
                Stop-AwX $looked.Code
            }
            $failures += 1
            continue
        }
        $lines = ConvertTo-AwXLines $looked.Bytes
        Write-AwXLine (Get-AwXResetTold $clone $lines $Ref)
        Write-AwXResetLost $lines
        $ready.Add($clone)
    }
    if ($ready.Count -eq 0) {
        Stop-AwX 8
    }
    if ($Kind -ceq 'opt-repos') {
        # What agents read is made from the kits, and loses what they do not have.
        $counted = Invoke-AwXGuest -Way $Way -Script 'opt_refresh' -Arguments @('count')
        if ($counted.Code -ne 0) {
            Stop-AwX $counted.Code
        }
        Write-AwXResetLost (ConvertTo-AwXLines $counted.Bytes)
    }
    if (-not $Yes) {
        $question = "reset $($ready.Count) repositories of $($Way['Full'])?"
        if ($ready.Count -eq 1) {
            $question = "reset 1 repository of $($Way['Full'])?"
        }
        Confirm-AwX $question
    }
    foreach ($clone in $ready) {
        $done = Invoke-AwXGuest -Way $Way -Script 'reset_repo' -Arguments @('reset', $clone, $Ref)
        if ($done.Code -ne 0) {
            if (($Clones.Count -eq 1) -or (Test-AwXStopped $done.Code)) {
                Stop-AwX $done.Code
            }
            $failures += 1
        }
    }
    if ($failures -gt 0) {
        Stop-AwX 8
    }
}

# Where a clone goes.
function Get-AwXResetTold {
    param([string] $Clone, [string[]] $Lines, [string] $Ref)
    $where = $Ref
    if ($where -eq '') {
        $where = 'origin/HEAD'
    }
    $target = ''
    foreach ($line in $Lines) {
        if ($line.StartsWith('ref ', [System.StringComparison]::Ordinal)) {
            $where = $line.Substring(4)
        } elseif ($line.StartsWith('target ', [System.StringComparison]::Ordinal)) {
            $target = $line.Substring(7)
            if ($target.Length -gt 7) {
                $target = $target.Substring(0, 7)
            }
        }
    }
    return "$Clone -> $where ($target)"
}

# Says what would be lost.
function Write-AwXResetLost {
    param([string[]] $Lines)
    foreach ($line in $Lines) {
        if ($line -cmatch '\A(changes|untracked|commits|deletions) ') {
            Write-AwXLine "  $line"
        } elseif ($line.StartsWith('kit ', [System.StringComparison]::Ordinal)) {
            Write-AwXLine ($line.Substring(4))
        }
    }
}
