# `shell` and `exec`: a person's or a program's way into a workspace.
# The command gets its words, its stdin and its terminal as they are, and its exit code is the answer.

# Reads the flag at Index into Said. The result is how many words it took, 0 when it is none of these.
function Read-AwXAttachFlag {
    param([string[]] $Words, [int] $Index, [hashtable] $Said)
    $word = Split-AwXFlag $Words[$Index]
    $flag = $word['Flag']
    if (($flag -ceq '--root') -and -not $word['Inline']) {
        $Said['Root'] = $true
        return 1
    }
    $key = ''
    if (@('-u', '--user') -ccontains $flag) {
        $key = 'User'
    } elseif (@('-w', '--workdir') -ccontains $flag) {
        $key = 'Workdir'
    } else {
        return 0
    }
    if ($word['Inline']) {
        $Said[$key] = $word['Value']
        return 1
    }
    Assert-AwXValue $flag ($Words.Count - $Index)
    $Said[$key] = $Words[$Index + 1]
    return 2
}

# The way in for the user and the folder that were said.
function Enter-AwXAttach {
    param([string[]] $Names, [hashtable] $Said)
    $flags = [System.Collections.Generic.List[string]]::new()
    if ($Said['Root']) {
        $Said['User'] = 'root'
    }
    if ($Said['User'] -ne '') {
        $flags.Add('--user')
        $flags.Add($Said['User'])
    }
    if ($Said['Workdir'] -ne '') {
        $flags.Add('--workdir')
        $flags.Add($Said['Workdir'])
    }
    $launcher = Get-AwXLauncher
    Assert-AwXCapability $launcher @('describe-json', 'transport-v1')
    if ($flags.Count -gt 0) {
        Assert-AwXCapability $launcher @('transport-options-v1')
    }
    $name = Select-AwXWorkspace $launcher $Names
    return Enter-AwXWorkspace $launcher $name $flags
}

# Whether a person sits in front of it: nothing is piped in or on, and stdin and stdout are a terminal.
function Test-AwXTerminal {
    if ($script:AwXPiped -or ($null -ne $script:AwXLines)) {
        return $false
    }
    return -not ([Console]::IsInputRedirected -or [Console]::IsOutputRedirected)
}

# Runs the words inside on the session's own streams.
function Invoke-AwXAttached {
    param([hashtable] $Way, [string[]] $Words, [bool] $Terminal)
    $all = Get-AwXInside -Way $Way -Words $Words -Terminal $Terminal
    $program = Find-AwXTransport $all[0]
    $rest = $all.GetRange(1, $all.Count - 1)
    Invoke-AwXNative -File $program -Words $rest -Lines $script:AwXLines
}

# shell [FLAG...] [NAME]
function Invoke-AwXShell {
    param([string[]] $Words)
    $said = @{ Root = $false; User = ''; Workdir = '' }
    $names = [System.Collections.Generic.List[string]]::new()
    $index = 0
    while ($index -lt $Words.Count) {
        $word = $Words[$index]
        if (@('-h', '--help') -ccontains $word) {
            Show-AwXHelp 'shell'
            return
        }
        if ($word -ceq '--') {
            for ($rest = $index + 1; $rest -lt $Words.Count; $rest += 1) {
                $names.Add($Words[$rest])
            }
            break
        }
        $taken = Read-AwXAttachFlag $Words $index $said
        if ($taken -gt 0) {
            $index += $taken
            continue
        }
        if (Test-AwXFlag $word) {
            Stop-AwXUnknown 'shell' $word
        }
        $names.Add($word)
        $index += 1
    }
    Assert-AwXOneName 'shell' $names
    if (-not (Test-AwXTerminal)) {
        $named = ''
        foreach ($name in $names) {
            $named = "$name "
        }
        Stop-AwXWith 2 'shell needs a terminal' "agent-workspace exec ${named}-- COMMAND"
    }
    $way = Enter-AwXAttach $names $said
    Invoke-AwXAttached -Way $way -Words (Get-AwXGuestWords 'login_shell' @()) -Terminal $true
}

# exec [FLAG...] NAME [--] [COMMAND...], or exec [FLAG...] -- [COMMAND...]
function Invoke-AwXExec {
    param([string[]] $Words)
    $said = @{ Root = $false; User = ''; Workdir = '' }
    $names = [System.Collections.Generic.List[string]]::new()
    $index = 0
    while ($index -lt $Words.Count) {
        $taken = Read-AwXAttachFlag $Words $index $said
        if ($taken -gt 0) {
            $index += $taken
            continue
        }
        $word = $Words[$index]
        if (@('-h', '--help') -ccontains $word) {
            Show-AwXHelp 'exec'
            return
        }
        if ($word -ceq '--') {
            $index += 1
        } elseif (Test-AwXFlag $word) {
            Stop-AwXUnknown 'exec' $word
        } else {
            $names.Add($word)
            $index += 1
            if (($index -lt $Words.Count) -and ($Words[$index] -ceq '--')) {
                $index += 1
            }
        }
        break
    }
    $way = Enter-AwXAttach $names $said
    $command = [System.Collections.Generic.List[string]]::new()
    for ($rest = $index; $rest -lt $Words.Count; $rest += 1) {
        $command.Add($Words[$rest])
    }
    if ($command.Count -eq 0) {
        $command = Get-AwXGuestWords 'login_shell' @()
    }
    Invoke-AwXAttached -Way $way -Words $command -Terminal (Test-AwXTerminal)
}
