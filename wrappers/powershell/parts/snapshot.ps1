# `snapshot`: copies the host's configuration into a workspace, but for logins and keys.
# What stays here is in share/snapshot-excludes.

function Invoke-AwXSnapshot {
    param([string[]] $Words)
    $dry = $false
    $refresh = $false
    $names = [System.Collections.Generic.List[string]]::new()
    $with = [System.Collections.Generic.List[string]]::new()
    $index = 0
    while ($index -lt $Words.Count) {
        $word = $Words[$index]
        $split = Split-AwXFlag $word
        if (@('-h', '--help') -ccontains $word) {
            Show-AwXHelp 'snapshot'
            return
        } elseif ($word -ceq '--dry-run') {
            $dry = $true
        } elseif ($word -ceq '--refresh') {
            $refresh = $true
        } elseif ($split['Flag'] -ceq '--with') {
            if ($split['Inline']) {
                $with.Add($split['Value'])
            } else {
                Assert-AwXValue '--with' ($Words.Count - $index)
                $index += 1
                $with.Add($Words[$index])
            }
        } elseif ($word -ceq '--') {
            for ($rest = $index + 1; $rest -lt $Words.Count; $rest += 1) {
                $names.Add($Words[$rest])
            }
            break
        } elseif (Test-AwXFlag $word) {
            Stop-AwXUnknown 'snapshot' $word
        } else {
            $names.Add($word)
        }
        $index += 1
    }
    Assert-AwXOneName 'snapshot' $names
    $from = Get-AwXSnapshotFolder
    if ($from -eq '') {
        return
    }
    $rules = New-AwXSnapshotRules $from $with
    if ($dry) {
        Show-AwXSnapshotSizes $rules
        return
    }
    $launcher = Get-AwXLauncher
    Assert-AwXCapability $launcher @('describe-json', 'transport-v1')
    $name = Select-AwXWorkspace $launcher $names
    $way = Enter-AwXWorkspace $launcher $name @()
    if ($way['Secrets'] -ne '') {
        Add-AwXSnapshotSecrets $rules $way['Secrets']
    }
    if (-not $refresh) {
        $state = Get-AwXSnapshotState $way
        if ($state -ne '') {
            Write-AwXMessage "the snapshot is there already ($state); again with --refresh"
            return
        }
    }
    Send-AwXSnapshot $way $rules
}

# The real path of the configuration; '', with a note, when there is nothing.
function Get-AwXSnapshotFolder {
    $named = Get-AwXConfigFolder
    if (-not [System.IO.Directory]::Exists((Get-AwXFullPath $named))) {
        Write-AwXMessage "there is no $named to copy"
        return ''
    }
    return Resolve-AwXFolder $named
}

# A folder's path without links in it.
function Resolve-AwXFolder {
    param([string] $Folder)
    $path = Get-AwXFullPath $Folder
    # A link may lead to a path with links in it. Who makes a circle of them gets it back.
    for ($round = 0; $round -lt 40; $round += 1) {
        $real = [System.IO.Path]::GetPathRoot($path)
        $separator = [System.IO.Path]::DirectorySeparatorChar
        foreach ($part in $path.Substring($real.Length).Split($separator, [System.StringSplitOptions]::RemoveEmptyEntries)) {
            $real = [System.IO.Path]::Combine($real, $part)
            $target = [System.IO.Directory]::ResolveLinkTarget($real, $true)
            if ($null -ne $target) {
                $real = $target.FullName
            }
        }
        if ($real -ceq $path) {
            break
        }
        $path = $real
    }
    return $path
}

# What is not to be copied: From, the expressions Names and Paths, the paths Literal, and With, which are taken by
# themselves. Failed says whether something could not be read.
function New-AwXSnapshotRules {
    param([string] $From, [string[]] $With)
    $rules = @{
        From = $From; Failed = $false
        Literal = [System.Collections.Hashtable]::new()
        With = [System.Collections.Generic.List[string]]::new()
    }
    $leftNames = [System.Collections.Generic.List[string]]::new()
    $leftPaths = [System.Collections.Generic.List[string]]::new()
    foreach ($line in (Get-AwXShared 'share/snapshot-excludes').Split("`n")) {
        $pattern = $line.TrimEnd("`r")
        if (($pattern -eq '') -or $pattern.StartsWith('#', [System.StringComparison]::Ordinal)) {
            continue
        }
        if ($pattern.StartsWith('**/', [System.StringComparison]::Ordinal)) {
            $leftNames.Add($pattern.Substring(3))
        } else {
            $leftPaths.Add($pattern)
        }
    }
    $rules['Names'] = ConvertTo-AwXExpression $leftNames
    $rules['Paths'] = ConvertTo-AwXExpression $leftPaths

    $secrets = Get-AwXSetting 'SECRETS_DIR'
    if ($secrets -eq '') {
        $secrets = [System.IO.Path]::Combine($From, 'codex_secrets')
    }
    Add-AwXSnapshotSecrets $rules $secrets

    foreach ($named in $With) {
        $item = Get-AwXBelow $From $named
        if ($item -eq '') {
            $item = $named
        }
        while ($item.StartsWith('./', [System.StringComparison]::Ordinal)) {
            $item = $item.Substring(2)
        }
        $item = $item.TrimEnd('/')
        $around = "/$item/"
        if ($around.StartsWith('//', [System.StringComparison]::Ordinal) -or $around.Contains('/../') -or $around.Contains('/./')) {
            Stop-AwXUsage 'snapshot' "--with takes a path below $From"
        }
        $path = [System.IO.Path]::Combine($From, $item)
        if (-not (Test-AwXThere $path)) {
            Stop-AwXWith 1 "there is no $item in $From"
        }
        $rules['Literal'][$item] = $true
        $rules['With'].Add($item)
    }
    return $rules
}

# A folder of secrets is left out too, when there is one.
function Add-AwXSnapshotSecrets {
    param([hashtable] $Rules, [string] $Folder)
    if (-not [System.IO.Directory]::Exists((Get-AwXFullPath $Folder))) {
        return
    }
    $from = $Rules['From']
    $secrets = Resolve-AwXFolder $Folder
    if (($secrets -ceq $from) -or ((Get-AwXBelow $secrets $from) -ne '')) {
        Stop-AwXWith 1 "$from is in the folder of secrets, and those are not copied"
    }
    $below = Get-AwXBelow $from $secrets
    if ($below -ne '') {
        $Rules['Literal'][$below] = $true
    }
}

# A path as it is below a folder, with slashes; '' when it is not below it.
function Get-AwXBelow {
    param([string] $Folder, [string] $Path)
    $start = $Folder
    $whole = $Path
    if ($IsWindows) {
        $start = $start.Replace('\', '/')
        $whole = $whole.Replace('\', '/')
    }
    $start = $start.TrimEnd('/') + '/'
    if ($whole.StartsWith($start, [System.StringComparison]::Ordinal)) {
        return $whole.Substring($start.Length)
    }
    return ''
}

# Whether anything is there, a link that leads nowhere too.
function Test-AwXThere {
    param([string] $Path)
    if ([System.IO.File]::Exists($Path) -or [System.IO.Directory]::Exists($Path)) {
        return $true
    }
    return $null -ne [System.IO.FileInfo]::new($Path).LinkTarget
}

# One regular expression for any of these patterns, in which only star and question mark are special. macOS tells capital
# from small letters as little as this does.
function ConvertTo-AwXExpression {
    param([string[]] $Patterns)
    $text = '(?!)'
    foreach ($pattern in $Patterns) {
        $text += '|\A' + [regex]::Escape($pattern).Replace('\*', '.*').Replace('\?', '.') + '\z'
    }
    return [regex]::new($text, [System.Text.RegularExpressions.RegexOptions] 'Singleline, IgnoreCase, CultureInvariant')
}

# Whether the list leaves a path out.
function Test-AwXLeftOut {
    param([hashtable] $Rules, [string] $Path, [string] $Name)
    return $Rules['Literal'].ContainsKey($Path) -or $Rules['Names'].IsMatch($Name) -or $Rules['Paths'].IsMatch($Path)
}

# Every file and link that is to be copied, as Path below the folder and Bytes.
function Get-AwXSnapshotFiles {
    param([hashtable] $Rules)
    $found = [System.Collections.Generic.List[object]]::new()
    $taken = [System.Collections.Hashtable]::new()
    Add-AwXSnapshotFolder $Rules '' $true $found $taken
    foreach ($item in $Rules['With']) {
        $path = [System.IO.Path]::Combine($Rules['From'], $item)
        if ([System.IO.Directory]::Exists($path)) {
            $entry = [System.IO.DirectoryInfo]::new($path)
        } else {
            $entry = [System.IO.FileInfo]::new($path)
        }
        Add-AwXSnapshotEntry $Rules $entry $item $false $found $taken
    }
    return , $found
}

# What is in a folder. Listed says whether the list is asked.
function Add-AwXSnapshotFolder {
    param(
        [hashtable] $Rules,
        [string] $Folder,
        [bool] $Listed,
        [System.Collections.Generic.List[object]] $Found,
        [System.Collections.Hashtable] $Taken
    )
    try {
        $entries = [System.IO.DirectoryInfo]::new([System.IO.Path]::Combine($Rules['From'], $Folder)).GetFileSystemInfos()
    } catch {
        $cause = $_.Exception.GetBaseException()
        Write-AwXMessage $cause.Message
        $Rules['Failed'] = $true
        return
    }
    foreach ($entry in $entries) {
        $path = $entry.Name
        if ($Folder -ne '') {
            $path = "$Folder/$($entry.Name)"
        }
        if ($Listed -and (Test-AwXLeftOut $Rules $path $entry.Name)) {
            continue
        }
        Add-AwXSnapshotEntry $Rules $entry $path $Listed $Found $Taken
    }
}

# One file, link or folder. What was taken once is not taken again.
function Add-AwXSnapshotEntry {
    param(
        [hashtable] $Rules,
        [System.IO.FileSystemInfo] $Entry,
        [string] $Path,
        [bool] $Listed,
        [System.Collections.Generic.List[object]] $Found,
        [System.Collections.Hashtable] $Taken
    )
    $isLink = $null -ne $Entry.LinkTarget
    if (($Entry -is [System.IO.DirectoryInfo]) -and -not $isLink) {
        Add-AwXSnapshotFolder $Rules $Path $Listed $Found $Taken
        return
    }
    if ($Taken.ContainsKey($Path)) {
        return
    }
    [long] $bytes = 0
    if (-not $isLink) {
        if (-not (Test-AwXPlainFile $Entry)) {
            return
        }
        $bytes = $Entry.Length
    }
    $Taken[$Path] = $true
    $Found.Add(@{ Path = $Path; Bytes = $bytes })
}

# Whether it is a file with content, and not a socket or a pipe. Only an empty one can be these.
function Test-AwXPlainFile {
    param([System.IO.FileInfo] $Entry)
    if ($IsWindows -or ($Entry.Length -gt 0)) {
        return $true
    }
    # The mode as `ls -l` shows it. The session may be in a drive that is none of files.
    $path = "Microsoft.PowerShell.Core\FileSystem::$($Entry.FullName)"
    $mode = (Microsoft.PowerShell.Management\Get-Item -LiteralPath $path -Force).PSObject.Properties['UnixMode']
    return ($null -eq $mode) -or ([string] $mode.Value).StartsWith('-', [System.StringComparison]::Ordinal)
}

# What would be copied, a line each of name, files and bytes, then the total.
function Show-AwXSnapshotSizes {
    param([hashtable] $Rules)
    $files = [System.Collections.Hashtable]::new()
    $bytes = [System.Collections.Hashtable]::new()
    [long] $allFiles = 0
    [long] $allBytes = 0
    foreach ($entry in (Get-AwXSnapshotFiles $Rules)) {
        $name = $entry['Path'].Split('/')[0] -replace '[\x01-\x1f\x7f]', '?'
        if (-not $files.ContainsKey($name)) {
            $files[$name] = [long] 0
            $bytes[$name] = [long] 0
        }
        $files[$name] = $files[$name] + 1
        $bytes[$name] = $bytes[$name] + $entry['Bytes']
        $allFiles += 1
        $allBytes += $entry['Bytes']
    }
    $names = [string[]] @($files.Keys)
    [System.Array]::Sort($names, [System.StringComparer]::Ordinal)
    foreach ($name in $names) {
        "$name`t$($files[$name])`t$($bytes[$name])"
    }
    "total`t$allFiles`t$allBytes"
}

# When the workspace got its snapshot; '' when it has none.
function Get-AwXSnapshotState {
    param([hashtable] $Way)
    $asked = Invoke-AwXGuest -Way $Way -Script 'config_snapshot' -Arguments @('state')
    if ($asked.Code -ne 0) {
        Stop-AwX $asked.Code
    }
    $state = ConvertTo-AwXText $asked.Bytes
    if ($state.StartsWith('done ', [System.StringComparison]::Ordinal)) {
        return $state.Substring(5)
    }
    return ''
}

# Copies, and marks that it is done when both sides came to their end. What one side could not read does not undo the rest.
function Send-AwXSnapshot {
    param([hashtable] $Way, [hashtable] $Rules)
    $tar = Find-AwXProgram 'tar'
    $words = [System.Collections.Generic.List[string]]::new()
    $words.Add('--no-recursion')
    # That of macOS and the BSDs would add what other systems only complain about.
    $asked = Invoke-AwXProcess -File $tar -Words @('--version') -Capture -NoInput -NoErrors
    $version = ConvertTo-AwXText $asked.Bytes
    if ($version.StartsWith('bsdtar', [System.StringComparison]::Ordinal)) {
        $words.AddRange([string[]] @('--no-xattrs', '--no-acls', '--no-fflags'))
    }
    $list = [System.Text.StringBuilder]::new()
    foreach ($entry in (Get-AwXSnapshotFiles $Rules)) {
        [void] $list.Append('./').Append($entry['Path']).Append([char] 0)
    }
    # Names may hold line ends, and go to tar in a file that only its owner can read.
    $file = [System.IO.Path]::GetTempFileName()
    try {
        [System.IO.File]::WriteAllBytes($file, [System.Text.UTF8Encoding]::new($false).GetBytes($list.ToString()))
        $words.AddRange([string[]] @('-C', $Rules['From'], '--null', '-T', $file, '-cf', '-'))
        $from = New-AwXStart -File $tar -Words $words -Environment @{ COPYFILE_DISABLE = '1' }
        $to = New-AwXInsideStart -Way $Way -Words (Get-AwXGuestWords 'config_snapshot' @('unpack'))
        $codes = Invoke-AwXPipe -From $from -To $to
    } finally {
        [System.IO.File]::Delete($file)
    }
    $packed = $codes.From
    # That of GNU says with 1 that a file has changed meanwhile: programs that run do that to their settings.
    if (($packed -eq 1) -and $version.Contains('GNU tar')) {
        $packed = 0
    }
    if (($packed -eq 0) -and $Rules['Failed']) {
        $packed = 1
    }
    if ($codes.Cut) {
        # Gone is who should have read it, and that side says why.
        $packed = 141
    } elseif (@(1, 2) -contains $packed) {
        Write-AwXWarning "some of $($Rules['From']) could not be read, and is not in the snapshot"
        $packed = 8
    } elseif ($packed -ne 0) {
        Write-AwXMessage "$($Rules['From']) could not be packed"
    }
    if ($codes.To -ne 0) {
        Stop-AwX $codes.To
    }
    if (@(0, 8) -notcontains $packed) {
        Stop-AwX $packed
    }
    $marked = Invoke-AwXGuest -Way $Way -Script 'config_snapshot' -Arguments @('mark')
    if ($marked.Code -ne 0) {
        Stop-AwX $marked.Code
    }
    if ($packed -ne 0) {
        Stop-AwX $packed
    }
}
