# The command itself: its first word says which part it is for.
# The words that are not named here are the launcher's.

# What was piped into the command, or $null; and whether its output is piped on.
$script:AwXLines = $null
$script:AwXPiped = $false

# The command `agent-workspace`, whose name is an alias of this one: a function of that name would be warned of at every
# import, as `agent` is no verb. No function that takes words of a command line has parameters, as PowerShell would
# take the flags for its own. It takes the first `--` all the same, unless it is quoted: '--'.
function Invoke-AgentWorkspace {
    Invoke-AwXCommand $MyInvocation @($input) $args
}

# Runs the command. Its exit code is in $global:LASTEXITCODE, and nothing but its answer is put out.
function Invoke-AwXCommand {
    param([System.Management.Automation.InvocationInfo] $Call, [object[]] $Fed, [object[]] $Given)
    $global:LASTEXITCODE = 0
    $script:AwXLines = $null
    if ($Call.ExpectingInput) {
        $script:AwXLines = $Fed
    }
    $script:AwXPiped = $Call.PipelinePosition -lt $Call.PipelineLength
    $words = [System.Collections.Generic.List[string]]::new()
    $front = ''
    foreach ($word in $Given) {
        if (($null -eq $word) -and ($front -eq '')) {
            continue
        }
        # PowerShell makes a list of a,b, and two words of -a:b, of which it marks the first.
        $text = $front + ($word -join ',')
        $marked = ($front -eq '') -and ($null -ne $word.PSObject.Properties['<CommandParameterName>'])
        $front = ''
        if ($marked -and $text.EndsWith(':', [System.StringComparison]::Ordinal)) {
            $front = $text
        } else {
            $words.Add($text)
        }
    }
    try {
        Invoke-AwXDispatch $words
    } catch {
        $global:LASTEXITCODE = Get-AwXStopCode $_
    }
}

function Invoke-AwXDispatch {
    param([string[]] $Words)
    $count = $Words.Count
    if (($count -eq 0) -or (($count -eq 1) -and (@('-h', '--help', 'help') -ccontains $Words[0]))) {
        Show-AwXCallHelp
        return
    }
    # Flags of every launcher's command may come first. What is the wrapper's is found behind them, so that `--quiet rm`
    # asks like `rm --quiet`.
    $before = [System.Collections.Generic.List[string]]::new()
    $index = 0
    while ($index -lt $count) {
        $word = $Words[$index]
        if ((@('-q', '--quiet') -ccontains $word) -or ($word -cmatch '\A--(output|log-format|passphrase-fd|timeout)=')) {
            $before.Add($word)
        } elseif ((@('--output', '--log-format', '--passphrase-fd', '--timeout') -ccontains $word) -and ($index + 1 -lt $count)) {
            $index += 1
            $before.Add("$word=$($Words[$index])")
        } else {
            break
        }
        $index += 1
    }
    $all = [System.Collections.Generic.List[string]]::new()
    $all.AddRange($Words)
    if ($before.Count -gt 0) {
        $command = ''
        if ($index -lt $count) {
            $command = $Words[$index]
        }
        if (@('auth', 'exec', 'open', 'reset', 'rsync', 'shell', 'snapshot') -ccontains $command) {
            $flag = (Split-AwXFlag $before[0])['Flag']
            Stop-AwXUnknown $command $flag
        }
        if (@('create', 'up', 'rm', 'tunnel') -cnotcontains $command) {
            Invoke-AwXCall $Words
            return
        }
        $all.Clear()
        $all.Add($command)
        $all.AddRange($before)
        for ($rest = $index + 1; $rest -lt $count; $rest += 1) {
            $all.Add($Words[$rest])
        }
    }
    # The help of a command that is the wrapper's, however it is asked for.
    $command = ''
    if ($all.Count -eq 2) {
        if ($all[0] -ceq 'help') {
            $command = $all[1]
        } elseif (@('-h', '--help') -ccontains $all[1]) {
            $command = $all[0]
        }
    }
    if (@('auth', 'create', 'exec', 'open', 'reset', 'rm', 'rsync', 'shell', 'snapshot') -ccontains $command) {
        Show-AwXHelp $command
        return
    }
    if ($command -ceq 'up') {
        Show-AwXHelp 'create'
        return
    }
    $after = $all.GetRange(1, $all.Count - 1)
    switch -CaseSensitive -Exact ($all[0]) {
        'create' { Invoke-AwXCreate $all }
        'up' { Invoke-AwXCreate $all }
        'auth' { Invoke-AwXAuth $after }
        'exec' { Invoke-AwXExec $after }
        'open' { Invoke-AwXOpen $after }
        'reset' { Invoke-AwXReset $after }
        'rm' { Invoke-AwXRemove $after }
        'rsync' { Invoke-AwXSync $after }
        'shell' { Invoke-AwXShell $after }
        'snapshot' { Invoke-AwXSnapshot $after }
        'tunnel' { Invoke-AwXCallTunnel $after }
        default { Invoke-AwXCall $all }
    }
}
