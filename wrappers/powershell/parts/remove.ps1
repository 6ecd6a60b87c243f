# `rm`: removes workspaces through the launcher, after asking once.
# That work would be lost is the launcher's to find and to refuse; a yes here does not change that.

function Invoke-AwXRemove {
    param([string[]] $Words)
    $all = $false
    $yes = $false
    $keep = $false
    $output = ''
    $names = [System.Collections.Generic.List[string]]::new()
    $flags = [System.Collections.Generic.List[string]]::new()
    $index = 0
    while ($index -lt $Words.Count) {
        $word = $Words[$index]
        if (@('-h', '--help') -ccontains $word) {
            Show-AwXHelp 'rm'
            return
        } elseif ($word -ceq '--all') {
            $all = $true
        } elseif (@('-y', '--yes') -ccontains $word) {
            $yes = $true
        } elseif ($word -ceq '--') {
            for ($rest = $index + 1; $rest -lt $Words.Count; $rest += 1) {
                $names.Add($Words[$rest])
            }
            break
        } elseif (Test-AwXFlag $word) {
            $flags.Add($word)
            $split = Split-AwXFlag $word
            if ($word -ceq '--keep-volumes') {
                $keep = $true
            } elseif ($word -ceq '--volumes') {
                $keep = $false
            } elseif ($split['Inline'] -and ($split['Flag'] -ceq '--output')) {
                $output = $split['Value']
            }
            if (Test-AwXTakesValue 'rm' $word) {
                Assert-AwXValue $word ($Words.Count - $index)
                $index += 1
                if ($word -ceq '--output') {
                    $output = $Words[$index]
                }
                $flags.Add($Words[$index])
            }
        } else {
            $names.Add($word)
        }
        $index += 1
    }
    if ($all -and ($names.Count -gt 0)) {
        Stop-AwXUsage 'rm' 'rm takes --all or names, not both'
    }
    if ((-not $all) -and ($names.Count -eq 0)) {
        Stop-AwXWith 2 'rm needs a NAME, or --all' 'agent-workspace ls'
    }
    if (($output -ceq 'json') -and ($all -or ($names.Count -gt 1))) {
        Stop-AwXUsage 'rm' '--output json is for one NAME'
    }
    $launcher = Get-AwXLauncher
    Assert-AwXCapability $launcher @('rm-json')
    if ($all) {
        Assert-AwXCapability $launcher @('ls-json')
        $document = Read-AwXDocument $launcher @('ls', '--output', 'json')
        foreach ($row in @(Get-AwXField $document '/workspaces')) {
            $names.Add([string] $row['workspace'])
        }
        if ($names.Count -eq 0) {
            Write-AwXMessage 'there is no workspace'
            return
        }
    }
    if (-not $yes) {
        Confirm-AwXRemoval $names $keep
    }
    # One by one, and the rest goes on when one fails.
    $code = 0
    foreach ($name in $names) {
        $call = [System.Collections.Generic.List[string]]::new()
        $call.Add('rm')
        if (Test-AwXFlag $name) {
            $call.AddRange($flags)
            $call.Add('--')
            $call.Add($name)
        } else {
            $call.Add($name)
            $call.AddRange($flags)
        }
        Invoke-AwXNative -File $launcher -Words $call
        # Who stops one of them has stopped all.
        if (Test-AwXStopped $global:LASTEXITCODE) {
            return
        }
        if ($global:LASTEXITCODE -ne 0) {
            $code = $global:LASTEXITCODE
        }
    }
    if (($code -ne 0) -and ($names.Count -gt 1)) {
        $code = 8
    }
    $global:LASTEXITCODE = $code
}

function Confirm-AwXRemoval {
    param([string[]] $Names, [bool] $Keep)
    $what = $Names[0]
    $whose = 'its'
    if ($Names.Count -gt 1) {
        foreach ($name in $Names) {
            Write-AwXLine "  $name"
        }
        $what = "$($Names.Count) workspaces"
        $whose = 'their'
    }
    $and = 'and'
    if ($Keep) {
        $and = 'and keep'
    }
    Confirm-AwX "remove $what $and $whose volumes?"
}
