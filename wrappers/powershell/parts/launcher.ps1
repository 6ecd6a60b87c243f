# Finds the launcher, the program that makes workspaces; or fetches the release that this wrapper has pinned.
# What is fetched is run only after its SHA-256 was compared, and is kept whole or not at all.

# Whether nobody sits in front of PowerShell, by how it was started.
$script:AwXUnattended = @([Environment]::GetCommandLineArgs() -match '\A--?noni').Count -gt 0

# The file of a program in PATH, never a function or an alias; '' when there is none.
function Find-AwXProgram {
    param([string] $Name)
    if ($IsWindows) {
        $found = Microsoft.PowerShell.Core\Get-Command -Name $Name -CommandType Application -TotalCount 1 -ErrorAction Ignore
        if ($null -eq $found) {
            return ''
        }
        return [string] $found.Path
    }
    # Get-Command would look through every module that is installed when there is no such program.
    foreach ($folder in (Get-AwXVariable 'PATH').Split([System.IO.Path]::PathSeparator)) {
        if ($folder -ne '') {
            $file = [System.IO.Path]::Combine($folder, $Name)
            if (Test-AwXExecutable $file) {
                return Get-AwXFullPath $file
            }
        }
    }
    return ''
}

# How a program is started with exactly these words. A value of $null in Environment removes the variable.
function New-AwXStart {
    param([string] $File, [string[]] $Words, [System.Collections.IDictionary] $Environment)
    $start = [System.Diagnostics.ProcessStartInfo]::new($File)
    $start.UseShellExecute = $false
    $start.WorkingDirectory = Get-AwXFolder
    foreach ($word in $Words) {
        $start.ArgumentList.Add($word)
    }
    if ($null -ne $Environment) {
        foreach ($name in $Environment.Keys) {
            if ($null -eq $Environment[$name]) {
                [void] $start.Environment.Remove($name)
            } else {
                $start.Environment[$name] = [string] $Environment[$name]
            }
        }
    }
    return $start
}

# Runs a program and waits for it. Streams that are not captured or given are PowerShell's own, so this is for what is
# read, what is fed bytes, and what has an environment of its own. The result has Code and Bytes.
function Invoke-AwXProcess {
    param(
        [string] $File,
        [string[]] $Words,
        [System.Collections.IDictionary] $Environment,
        [byte[]] $Bytes,
        [switch] $Capture,
        [switch] $NoInput,
        [switch] $NoErrors
    )
    $start = New-AwXStart -File $File -Words $Words -Environment $Environment
    $start.RedirectStandardInput = $NoInput -or ($null -ne $Bytes)
    $start.RedirectStandardOutput = [bool] $Capture
    $start.RedirectStandardError = [bool] $NoErrors

    $read = [System.IO.MemoryStream]::new()
    $process = [System.Diagnostics.Process]::new()
    $process.StartInfo = $start
    try {
        [void] $process.Start()
        # Reading begins before anything is written, or each side could wait for the other.
        $output = $null
        $errors = $null
        if ($Capture) {
            $output = $process.StandardOutput.BaseStream.CopyToAsync($read)
        }
        if ($NoErrors) {
            $errors = $process.StandardError.BaseStream.CopyToAsync([System.IO.Stream]::Null)
        }
        if ($null -ne $Bytes) {
            try {
                $process.StandardInput.BaseStream.Write($Bytes, 0, $Bytes.Length)
                $process.StandardInput.BaseStream.Flush()
            } catch [System.IO.IOException] {
                # It has ended without reading everything; its exit code says the rest.
                $null = $_
            }
        }
        if ($start.RedirectStandardInput) {
            Close-AwXInput $process
        }
        if ($null -ne $output) {
            $output.Wait()
        }
        if ($null -ne $errors) {
            $errors.Wait()
        }
        $process.WaitForExit()
        $code = $process.ExitCode
    } finally {
        $process.Dispose()
    }
    $captured = $read.ToArray()
    return [pscustomobject] @{ Code = $code; Bytes = $captured }
}

# Ends what a program reads. It may have gone already; its exit code says the rest.
function Close-AwXInput {
    param([System.Diagnostics.Process] $Process)
    try {
        $Process.StandardInput.Close()
    } catch [System.IO.IOException] {
        $null = $_
    }
}

# Lets the second program read what the first one prints, byte by byte as it is. The result has the exit codes From and
# To, and whether the second one stopped reading before the end.
function Invoke-AwXPipe {
    param([System.Diagnostics.ProcessStartInfo] $From, [System.Diagnostics.ProcessStartInfo] $To)
    $From.RedirectStandardInput = $true
    $From.RedirectStandardOutput = $true
    $To.RedirectStandardInput = $true
    $writer = [System.Diagnostics.Process]::new()
    $reader = [System.Diagnostics.Process]::new()
    $writer.StartInfo = $From
    $reader.StartInfo = $To
    $cut = $false
    try {
        [void] $reader.Start()
        try {
            [void] $writer.Start()
            Close-AwXInput $writer
            $writer.StandardOutput.BaseStream.CopyTo($reader.StandardInput.BaseStream)
            $reader.StandardInput.BaseStream.Flush()
        } catch [System.IO.IOException] {
            # Who writes for nobody ends.
            $cut = $true
            $writer.StandardOutput.Close()
        } finally {
            Close-AwXInput $reader
        }
        $writer.WaitForExit()
        $reader.WaitForExit()
        $codes = [pscustomobject] @{ From = $writer.ExitCode; To = $reader.ExitCode; Cut = $cut }
    } finally {
        $writer.Dispose()
        $reader.Dispose()
    }
    return $codes
}

# What was captured as text, without the line ends at its end.
function ConvertTo-AwXText {
    param([byte[]] $Bytes)
    return [System.Text.Encoding]::UTF8.GetString($Bytes).TrimEnd([char[]] "`r`n")
}

# What was captured as lines.
function ConvertTo-AwXLines {
    param([byte[]] $Bytes)
    $text = ConvertTo-AwXText $Bytes
    $lines = [System.Collections.Generic.List[string]]::new()
    if ($text -ne '') {
        foreach ($line in $text.Split("`n")) {
            $lines.Add($line.TrimEnd("`r"))
        }
    }
    return , $lines
}

# Runs a program on the session's own streams: a terminal where there is one, and where its output is kept or piped on,
# PowerShell reads it. Lines are what was piped into the command. The exit code is in $global:LASTEXITCODE.
function Invoke-AwXNative {
    param([string] $File, [string[]] $Words, [object[]] $Lines)
    $exact = $true
    foreach ($word in $Words) {
        # The call operator never hands this word on; and before 7.3 it drops empty ones and mangles quotes.
        if ($word -ceq '--%') {
            $exact = $false
        } elseif ((-not $script:AwXExactCalls) -and ($word -notmatch '\A[\w./:=@%+,-]+\z')) {
            $exact = $false
        }
    }
    if (-not $exact) {
        $fed = $null
        if ($null -ne $Lines) {
            $fed = [System.Text.UTF8Encoding]::new($false).GetBytes(($Lines -join "`n") + "`n")
        }
        $global:LASTEXITCODE = (Invoke-AwXProcess -File $File -Words $Words -Bytes $fed).Code
        return
    }
    # What stands in a variable would be taken for a pattern of file names: only a quoted word is handed on untouched.
    $call = [System.Text.StringBuilder]::new()
    if ($null -ne $Lines) {
        [void] $call.Append('$Lines | ')
    }
    [void] $call.Append('& ').Append((ConvertTo-AwXLiteral $File))
    foreach ($word in $Words) {
        [void] $call.Append(' ').Append((ConvertTo-AwXLiteral $word))
    }
    & ([scriptblock]::Create($call.ToString()))
}

# A word as PowerShell's own source has it, whatever is in it.
function ConvertTo-AwXLiteral {
    param([string] $Word)
    return "'" + [System.Management.Automation.Language.CodeGeneration]::EscapeSingleQuotedStringContent($Word) + "'"
}

# What share/pins says of a version, an address, or the SHA-256 and the file of a platform; '' when it says nothing.
function Get-AwXPin {
    param([string] $Key)
    $file = [System.IO.Path]::Combine($script:AwXWrappers, 'share', 'pins')
    if ([System.IO.File]::Exists($file)) {
        foreach ($line in [System.IO.File]::ReadAllLines($file)) {
            if ($line.StartsWith("$Key ", [System.StringComparison]::Ordinal)) {
                return $line.Substring($Key.Length + 1).Trim()
            }
        }
    }
    return ''
}

function Get-AwXLauncherName {
    if ($IsWindows) {
        return 'agent-workspace.exe'
    }
    return 'agent-workspace'
}

# Where the launcher of that version is kept once it was fetched.
function Get-AwXCached {
    param([string] $Version)
    $cache = Get-AwXVariable 'XDG_CACHE_HOME'
    if ($cache -eq '') {
        $cache = [System.IO.Path]::Combine((Get-AwXHome), '.cache')
    }
    return [System.IO.Path]::Combine($cache, 'agent-workspace', 'launcher', $Version, (Get-AwXLauncherName))
}

function Test-AwXExecutable {
    param([string] $Path)
    if (-not [System.IO.File]::Exists($Path)) {
        return $false
    }
    if ($IsWindows) {
        return $true
    }
    # Any user may do anything with a link; what it leads to counts.
    $file = $Path
    $target = [System.IO.File]::ResolveLinkTarget($Path, $true)
    if ($null -ne $target) {
        $file = $target.FullName
    }
    # Before 7.3 there is no such property, and nothing is known. Any of the three bits will do.
    $mode = [System.IO.FileInfo]::new($file).PSObject.Properties['UnixFileMode']
    return ($null -eq $mode) -or (([int] $mode.Value -band 0x49) -ne 0)
}

# The launcher that is there; '' when there is none. Says nothing and changes nothing.
function Find-AwXLauncher {
    $path = Get-AwXSetting 'LAUNCHER'
    if ($path -ne '') {
        $path = Get-AwXFullPath $path
        if (Test-AwXExecutable $path) {
            return $path
        }
        return ''
    }
    $checkout = [System.IO.Path]::GetDirectoryName($script:AwXWrappers)
    $path = [System.IO.Path]::Combine($checkout, 'target', 'release', (Get-AwXLauncherName))
    if (Test-AwXExecutable $path) {
        return $path
    }
    $path = Find-AwXProgram 'agent-workspace'
    if ($path -ne '') {
        return $path
    }
    $version = Get-AwXPin 'version'
    if ($version -ne '') {
        $path = Get-AwXCached $version
        if (Test-AwXExecutable $path) {
            return $path
        }
    }
    return ''
}

# The launcher, fetched if need be.
function Get-AwXLauncher {
    $download = Get-AwXCheckedSetting 'LAUNCHER_AUTO_DOWNLOAD' @('true', 'false')
    $found = Find-AwXLauncher
    if ($found -ne '') {
        return $found
    }

    $explicit = Get-AwXSetting 'LAUNCHER'
    if ($explicit -ne '') {
        Stop-AwXWith 1 "AGENT_WORKSPACE_LAUNCHER is not a program: $explicit"
    }
    $hint = 'put agent-workspace on PATH, or name it: AGENT_WORKSPACE_LAUNCHER=/path/to/agent-workspace'
    if ($download -ceq 'false') {
        Stop-AwXWith 1 'the launcher was not found, and AGENT_WORKSPACE_LAUNCHER_AUTO_DOWNLOAD=false forbids to download it' $hint
    }
    $version = Get-AwXPin 'version'
    if ($version -eq '') {
        Stop-AwXWith 1 'the launcher was not found, and this wrapper has no pinned release to download' $hint
    }
    $url = Get-AwXSetting 'LAUNCHER_URL'
    if ($url -eq '') {
        $url = Get-AwXPin 'url'
    }
    if (-not $url.StartsWith('https://', [System.StringComparison]::Ordinal)) {
        Stop-AwXWith 2 "a launcher is downloaded over https:// only, not from $url"
    }
    $platform = Get-AwXPlatform
    $pin = @((Get-AwXPin $platform).Split(' ', [System.StringSplitOptions]::RemoveEmptyEntries))
    if ($pin.Count -lt 2) {
        Stop-AwXWith 1 "the release $version has no launcher for $platform" 'build it: ./dev quickstart in a checkout'
    }
    if (((Find-AwXProgram 'curl') -eq '') -and ((Find-AwXProgram 'wget') -eq '')) {
        Stop-AwXWith 1 'neither curl nor wget is there to download the launcher'
    }
    $target = Get-AwXCached $version
    Write-AwXMessage "downloading launcher $version for $platform"
    Save-AwXLauncher "$($url.TrimEnd('/'))/$($pin[1])" $pin[0] $target
    return $target
}

# The name that releases use for this machine.
function Get-AwXPlatform {
    $system = 'linux'
    if ($IsWindows) {
        $system = 'windows'
    } elseif ($IsMacOS) {
        $system = 'macos'
    }
    $machine = [string] [System.Runtime.InteropServices.RuntimeInformation]::OSArchitecture
    if ($machine -eq 'X64') {
        $machine = 'x86_64'
    } elseif ($machine -eq 'Arm64') {
        $machine = 'aarch64'
    }
    return "$system-$($machine.ToLowerInvariant())"
}

# Fetches an address into a file, which is in the folder Scratch. The result is an exit code: 130 when it was interrupted.
function Invoke-AwXFetch {
    param([string] $Address, [string] $File, [string] $Scratch)
    $program = Find-AwXProgram 'curl'
    if ($program -ne '') {
        $words = @('-fsSL', '--proto', '=https', '--proto-redir', '=https', '-o', $File, $Address)
        return (Invoke-AwXGuarded -Scratch $Scratch -File $program -Words $words).Code
    }
    $program = Find-AwXProgram 'wget'
    # curl reads these variables itself.
    $authorities = Get-AwXVariable 'SSL_CERT_FILE'
    if ($authorities -eq '') {
        $authorities = Get-AwXVariable 'CURL_CA_BUNDLE'
    }
    $flags = @()
    if ($authorities -ne '') {
        $flags = @('--ca-certificate', $authorities)
    }
    # wget would follow to http:// as well, so that it is told each step.
    $from = $Address
    for ($step = 0; $step -lt 6; $step += 1) {
        $words = @('-q', '-S', '--max-redirect=0') + $flags + @('-O', $File, $from)
        $tried = Invoke-AwXGuarded -Scratch $Scratch -File $program -Words $words -Errors
        if (@(0, 130) -contains $tried.Code) {
            return $tried.Code
        }
        $from = ''
        foreach ($line in (ConvertTo-AwXLines $tried.Bytes)) {
            if ($line -match '\A[ \t]*location:[ \t]+(\S+)') {
                $from = [string] $Matches[1]
            }
        }
        if (-not $from.StartsWith('https://', [System.StringComparison]::Ordinal)) {
            return 1
        }
    }
    return 1
}

# Runs a program under a shell that removes the folder Scratch when it is interrupted: a signal that ends PowerShell leaves
# that no time for it. The result is that of Invoke-AwXProcess; with Errors, Bytes is what the program said.
function Invoke-AwXGuarded {
    param([string] $Scratch, [string] $File, [string[]] $Words, [switch] $Errors)
    $program = $File
    $all = @($Words)
    if (-not $IsWindows) {
        $guard = @'
scratch=$1
errors=$2
shift 2
trap 'rm -rf -- "$scratch"; exit 130' INT
trap 'rm -rf -- "$scratch"; exit 143' TERM HUP
[ -z "$errors" ] || exec 2>&1
"$@"
exit "$?"
'@
        $kept = ''
        if ($Errors) {
            $kept = 'yes'
        }
        $program = Find-AwXProgram 'sh'
        $all = @('-c', $guard, 'sh', $Scratch, $kept, $File) + $Words
    }
    return Invoke-AwXProcess -File $program -Words $all -Environment @{ LC_ALL = 'C' } -Capture:$Errors -NoInput
}

# Fetches the archive, compares it, and puts the launcher in it at its place.
function Save-AwXLauncher {
    param([string] $Address, [string] $Sum, [string] $Target)
    $folder = [System.IO.Path]::GetDirectoryName($Target)
    # Beside its target, so that the last step is a rename and nothing half is ever seen.
    $scratch = [System.IO.Path]::Combine($folder, "partial.$([System.Guid]::NewGuid().ToString('N'))")
    $interrupted = $false
    try {
        [void] [System.IO.Directory]::CreateDirectory($scratch)
        $archive = [System.IO.Path]::Combine($scratch, 'archive')
        # So it is while nothing else is known: an interrupt goes past everything but `finally`.
        $interrupted = $true
        $fetched = Invoke-AwXFetch $Address $archive $scratch
        $interrupted = $fetched -eq 130
        if ($interrupted) {
            Stop-AwX 130
        }
        if ($fetched -ne 0) {
            Stop-AwXWith 1 "the launcher could not be downloaded from $Address"
        }
        $digest = [System.Security.Cryptography.SHA256]::HashData([System.IO.File]::ReadAllBytes($archive))
        if ([System.Convert]::ToHexString($digest) -ne $Sum) {
            Stop-AwXWith 1 "what $Address holds is not what this wrapper has pinned, and was deleted"
        }
        $name = Get-AwXLauncherName
        $launcher = [System.IO.Path]::Combine($scratch, $name)
        $unpacked = Invoke-AwXProcess -File (Find-AwXProgram 'tar') -Words @('-xzf', $archive, '-C', $scratch, $name) -NoInput
        if (($unpacked.Code -ne 0) -or -not [System.IO.File]::Exists($launcher) -or
            ([System.IO.File]::GetAttributes($launcher) -band [System.IO.FileAttributes]::ReparsePoint)) {
            Stop-AwXWith 1 "there is no launcher in $Address"
        }
        if (-not $IsWindows) {
            $allowed = Invoke-AwXProcess -File (Find-AwXProgram 'chmod') -Words @('0755', $launcher) -NoInput
            if ($allowed.Code -ne 0) {
                Stop-AwX 1
            }
        }
        [System.IO.File]::Move($launcher, $Target, $true)
    } finally {
        if ([System.IO.Directory]::Exists($scratch)) {
            [System.IO.Directory]::Delete($scratch, $true)
        }
        if ($interrupted) {
            $global:LASTEXITCODE = 130
            # PowerShell itself ends an interrupted script as if all were well.
            if ($script:AwXUnattended) {
                exit 130
            }
        }
    }
}
