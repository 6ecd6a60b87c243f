# What is the launcher's goes to the launcher: the same words, streams and exit code.
# Only the help says more than the launcher's own, and a tunnel takes its name from the environment.

function Invoke-AwXCall {
    param([string[]] $Words)
    $launcher = Get-AwXLauncher
    Invoke-AwXNative -File $launcher -Words $Words -Lines $script:AwXLines
}

# The launcher's help, then that of the wrapper's own commands.
function Show-AwXCallHelp {
    Invoke-AwXCall @('--help')
    if ($global:LASTEXITCODE -eq 0) {
        Show-AwXHelp 'commands'
    }
}

# Adds the tunnel's name where a workspace is named and a tunnel is not.
function Invoke-AwXCallTunnel {
    param([string[]] $Words)
    $name = Get-AwXSetting 'TUNNEL_NAME'
    $named = $false
    $before = [System.Collections.Generic.List[string]]::new()
    $after = [System.Collections.Generic.List[string]]::new()
    foreach ($word in $Words) {
        if (($after.Count -gt 0) -or ($word -ceq '--')) {
            $after.Add($word)
            continue
        }
        if ((@('-h', '--help', '--name') -ccontains $word) -or $word.StartsWith('--name=', [System.StringComparison]::Ordinal)) {
            $name = ''
        } elseif (-not $word.StartsWith('-', [System.StringComparison]::Ordinal)) {
            $named = $true
        }
        $before.Add($word)
    }
    $all = [System.Collections.Generic.List[string]]::new()
    $all.Add('tunnel')
    $all.AddRange($before)
    if (($name -ne '') -and ($named -or ($after.Count -gt 1))) {
        $all.Add('--name')
        $all.Add($name)
    }
    $all.AddRange($after)
    Invoke-AwXCall $all
}

# Whether the launcher's flag takes the next word.
function Test-AwXTakesValue {
    param([string] $Command, [string] $Flag)
    foreach ($line in (Get-AwXShared 'share/value-flags').Split("`n")) {
        if ($line.TrimEnd("`r") -ceq "$Command $Flag") {
            return $true
        }
    }
    return $false
}
