# Asks the launcher whether it can do what a command needs, before the command does anything.
# An answer is remembered for the session, with the launcher that gave it.

$script:AwXKnown = [System.Collections.Hashtable]::new()

# Whether the launcher has a capability; the word `requires` stands for a version this wrapper is made for.
function Test-AwXCapability {
    param([string] $Launcher, [string] $Capability)
    $known = "$Launcher $Capability"
    if ($script:AwXKnown.ContainsKey($known)) {
        return $true
    }
    $words = @('--supports', $Capability)
    if ($Capability -ceq 'requires') {
        $words = @('--requires', '>=0.2, <1')
    }
    $asked = Invoke-AwXProcess -File $Launcher -Words $words -Capture -NoInput -NoErrors
    if ($asked.Code -ne 0) {
        return $false
    }
    $script:AwXKnown[$known] = $true
    return $true
}

function Get-AwXVersion {
    param([string] $Launcher)
    $asked = Invoke-AwXProcess -File $Launcher -Words @('--version') -Capture -NoInput -NoErrors
    return ConvertTo-AwXText $asked.Bytes
}

# The launcher must have all of them.
function Assert-AwXCapability {
    param([string] $Launcher, [string[]] $Capabilities)
    $hint = 'update the launcher: ./dev quickstart in its checkout, or take the newest release'
    if (-not (Test-AwXCapability $Launcher 'requires')) {
        $version = Get-AwXVersion $Launcher
        Stop-AwXWith 9 "this command needs a launcher '>=0.2, <1', and $Launcher is $version" $hint
    }
    foreach ($capability in $Capabilities) {
        if (-not (Test-AwXCapability $Launcher $capability)) {
            $version = Get-AwXVersion $Launcher
            Stop-AwXWith 9 "this command needs $capability, and the launcher $Launcher (version $version) does not have it" $hint
        }
    }
}
