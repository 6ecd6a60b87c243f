# What a person is told and asked, what the environment says, and the texts that all shells share.
# The conversation is on stderr, as stdout is the answer. What a command's own functions put out is its stdout; the
# functions with a result put out nothing else.

# A text without what a terminal would obey; much of what is said comes from inside a workspace.
function ConvertTo-AwXPlain {
    param([string] $Text)
    return $Text -replace '\p{Cc}', '?'
}

function Write-AwXLine {
    param([string] $Text)
    [string] $plain = ConvertTo-AwXPlain $Text
    [Console]::Error.WriteLine($plain)
}

function Write-AwXMessage {
    param([string] $Text)
    Write-AwXLine "agent-workspace: $Text"
}

function Write-AwXHint {
    param([string] $Text)
    Write-AwXLine "hint: $Text"
}

function Write-AwXWarning {
    param([string] $Text)
    Write-AwXMessage "warning: $Text"
}

# Ends the command: Invoke-AwXCommand takes the exit code from what is thrown.
function Stop-AwX {
    param([int] $Code)
    $stop = [System.Exception]::new("agent-workspace ends with exit code $Code")
    $stop.Data['AwXCode'] = $Code
    throw $stop
}

# Says why, and ends the command.
function Stop-AwXWith {
    param([int] $Code, [string] $Text, [string] $Hint)
    Write-AwXMessage $Text
    if ($Hint -ne '') {
        Write-AwXHint $Hint
    }
    Stop-AwX $Code
}

# The exit code that a caught error stands for. What was not thrown by Stop-AwX is said here.
function Get-AwXStopCode {
    param([System.Management.Automation.ErrorRecord] $Caught)
    $code = $Caught.Exception.Data['AwXCode']
    if ($null -ne $code) {
        return [int] $code
    }
    $cause = $Caught.Exception.GetBaseException()
    Write-AwXMessage $cause.Message
    return 1
}

# The command line is wrong.
function Stop-AwXUsage {
    param([string] $Command, [string] $Text)
    Stop-AwXWith 2 $Text "agent-workspace help $Command"
}

# Kind is the provider of `auth`, or what `reset` resets.
function Stop-AwXUnknown {
    param([string] $Command, [string] $Flag, [string] $Kind)
    $who = $Command
    if ($Kind -ne '') {
        $who = "$Command $Kind"
    }
    Stop-AwXUsage $Command "$who does not know $Flag"
}

# Whether a value can follow the flag, with Count words left from the flag on.
function Assert-AwXValue {
    param([string] $Flag, [int] $Count)
    if ($Count -lt 2) {
        Stop-AwXWith 2 "$Flag needs a value"
    }
}

# There may be one name.
function Assert-AwXOneName {
    param([string] $Command, [string[]] $Names)
    if ($Names.Count -gt 1) {
        Stop-AwXUsage $Command "$Command takes one NAME, and this is too much: $($Names[1])"
    }
}

# Whether a word is a flag, or begins like one.
function Test-AwXFlag {
    param([string] $Word)
    return $Word.StartsWith('-', [System.StringComparison]::Ordinal)
}

# --FLAG=VALUE in its parts: Flag, Value, and whether it was one word. Other words are all Flag.
function Split-AwXFlag {
    param([string] $Word)
    $at = $Word.IndexOf('=', [System.StringComparison]::Ordinal)
    if ($Word.StartsWith('--', [System.StringComparison]::Ordinal) -and ($at -gt 2)) {
        return @{ Flag = $Word.Substring(0, $at); Value = $Word.Substring($at + 1); Inline = $true }
    }
    return @{ Flag = $Word; Value = ''; Inline = $false }
}

# Only a clear yes is one, so that an input that has ended is none.
function Confirm-AwX {
    param([string] $Question)
    $prompt = "$(ConvertTo-AwXPlain $Question) [y/N] "
    if ($null -ne $script:AwXLines) {
        # What was piped into the command is what would be typed.
        [Console]::Error.Write($prompt)
        $answer = ''
        if ($script:AwXLines.Count -gt 0) {
            $answer = [string] $script:AwXLines[0]
        }
    } elseif ([Console]::IsInputRedirected) {
        [Console]::Error.Write($prompt)
        $answer = [Console]::In.ReadLine()
    } else {
        $answer = Read-AwXKeys $prompt
    }
    if (($answer -ceq 'y') -or ($answer -ceq 'Y') -or ($answer -ceq 'yes')) {
        return
    }
    Stop-AwXWith 1 'nothing was done'
}

# Asks at a terminal; '' at the end of input. PowerShell cannot stop while it waits for a line, so keys are read one by
# one, and an interrupt is one of them.
function Read-AwXKeys {
    param([string] $Prompt)
    $line = [System.Text.StringBuilder]::new()
    $before = [Console]::TreatControlCAsInput
    try {
        [Console]::TreatControlCAsInput = $true
        [Console]::Error.Write($Prompt)
        while ($true) {
            $key = [Console]::ReadKey($true)
            $code = [int] $key.KeyChar
            if ($code -eq 3) {
                Write-AwXLine '^C'
                Stop-AwX 130
            }
            # A carriage return or a line feed is Enter, and Control-D ends an empty line.
            if (($code -eq 13) -or ($code -eq 10) -or (($code -eq 4) -and ($line.Length -eq 0))) {
                Write-AwXLine ''
                return $line.ToString()
            }
            if ($key.Key -eq [System.ConsoleKey]::Backspace) {
                if ($line.Length -gt 0) {
                    $line.Length = $line.Length - 1
                    [Console]::Error.Write("`b `b")
                }
            } elseif ($code -ge 32) {
                [void] $line.Append($key.KeyChar)
                [Console]::Error.Write($key.KeyChar)
            }
        }
    } finally {
        [Console]::TreatControlCAsInput = $before
    }
}

# Whether somebody has stopped what ended so. Nothing else is begun then.
function Test-AwXStopped {
    param([int] $Code)
    return ($Code -eq 130) -or ($Code -eq 143)
}

# A variable of the environment, '' when there is none.
function Get-AwXVariable {
    param([string] $Name)
    return [string] [Environment]::GetEnvironmentVariable($Name)
}

# A setting of the wrappers, by its present or its older name; '' when there is none.
function Get-AwXSetting {
    param([string] $Name)
    $value = Get-AwXVariable "AGENT_WORKSPACE_$Name"
    if ($value -eq '') {
        $value = Get-AwXVariable "CODEX_WORKSPACE_$Name"
    }
    return $value
}

# What may have one of these values, of which there are two at least.
function Assert-AwXWord {
    param([string] $What, [string] $Value, [string[]] $Words)
    if ($Words -ccontains $Value) {
        return
    }
    $last = $Words.Count - 1
    $first = $Words[0..($last - 1)] -join ', '
    Stop-AwXWith 2 "$What is $first or $($Words[$last]), not: $Value"
}

# A setting that has one of these values, or none. What is said names the variable that it is from.
function Get-AwXCheckedSetting {
    param([string] $Name, [string[]] $Words)
    foreach ($variable in @("AGENT_WORKSPACE_$Name", "CODEX_WORKSPACE_$Name")) {
        $value = Get-AwXVariable $variable
        if ($value -ne '') {
            Assert-AwXWord $variable $value $Words
            return $value
        }
    }
    return ''
}

# A profile cannot lead out of the folder of profiles.
function Assert-AwXProfile {
    param([string] $Name)
    if (($Name -eq '') -or $Name.Contains('/') -or $Name.Contains('..') -or ($Name -match '\s')) {
        Stop-AwXWith 2 "a profile is one word without slashes, not: $Name"
    }
}

# The text of a file that all wrappers share: share/NAME or guest/NAME.
function Get-AwXShared {
    param([string] $Name)
    $file = [System.IO.Path]::Combine($script:AwXWrappers, $Name)
    if (-not [System.IO.File]::Exists($file)) {
        Stop-AwXWith 1 "a file of the wrapper is missing: $file"
    }
    return [System.IO.File]::ReadAllText($file).TrimEnd([char[]] "`r`n")
}

# Prints the help of a command that is the wrapper's.
function Show-AwXHelp {
    param([string] $Command)
    foreach ($line in (Get-AwXShared "share/help/$Command.txt").Split("`n")) {
        $line.TrimEnd("`r")
    }
}

# The folder that is the person's home.
function Get-AwXHome {
    $folder = Get-AwXVariable 'HOME'
    if ($folder -eq '') {
        $folder = [Environment]::GetFolderPath('UserProfile')
    }
    return $folder
}

# The session's folder: a program would else be started in the one that PowerShell itself was started in.
function Get-AwXFolder {
    return (Microsoft.PowerShell.Management\Get-Location -PSProvider FileSystem).ProviderPath
}

function Get-AwXFullPath {
    param([string] $Path)
    return [System.IO.Path]::GetFullPath($Path, (Get-AwXFolder))
}
