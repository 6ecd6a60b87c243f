# `rsync`: copies files between here and a workspace, with rsync on both sides.
# share/rsh.sh is what rsync takes for its remote shell; it leads over the transport, and no file is written for it.

function Invoke-AwXSync {
    param([string[]] $Words)
    $direction = ''
    if ($Words.Count -gt 0) {
        $direction = $Words[0]
    }
    if (@('', '-h', '--help') -ccontains $direction) {
        Show-AwXHelp 'rsync'
        return
    }
    if (@('push', 'pull') -cnotcontains $direction) {
        Stop-AwXUsage 'rsync' "rsync is push or pull, not: $direction"
    }
    $said = @{ Root = $false; User = ''; Workdir = '' }
    $paths = [System.Collections.Generic.List[string]]::new()
    $flags = [System.Collections.Generic.List[string]]::new()
    $more = [System.Collections.Generic.List[string]]::new()
    $names = [System.Collections.Generic.List[string]]::new()
    $index = 1
    while ($index -lt $Words.Count) {
        $word = $Words[$index]
        $flag = (Split-AwXFlag $word)['Flag']
        if (@('-h', '--help') -ccontains $word) {
            Show-AwXHelp 'rsync'
            return
        }
        if (@('-w', '--workdir') -ccontains $flag) {
            Stop-AwXUnknown 'rsync' $word
        }
        if ($word -ceq '--') {
            for ($rest = $index + 1; $rest -lt $Words.Count; $rest += 1) {
                $more.Add($Words[$rest])
            }
            break
        }
        $taken = Read-AwXAttachFlag $Words $index $said
        if ($taken -gt 0) {
            $index += $taken
            continue
        }
        if ($word -ceq '--delete') {
            $flags.Add('--delete')
        } elseif (@('-n', '--dry-run') -ccontains $word) {
            $flags.Add('-n')
        } elseif (Test-AwXFlag $word) {
            Stop-AwXUnknown 'rsync' $word
        } else {
            $paths.Add($word)
        }
        $index += 1
    }
    if ($paths.Count -lt 2) {
        Stop-AwXUsage 'rsync' "rsync $direction needs SRC and DEST"
    }
    if ($paths.Count -gt 3) {
        Stop-AwXUsage 'rsync' "rsync $direction takes NAME, SRC and DEST; options of rsync come after --"
    }
    if ($paths.Count -eq 3) {
        $names.Add($paths[0])
        $paths.RemoveAt(0)
    }
    $rsync = Find-AwXProgram 'rsync'
    if ($rsync -eq '') {
        Stop-AwXWith 1 'rsync is not installed here'
    }
    $way = Enter-AwXAttach $names $said
    foreach ($word in $way['Exec']) {
        # What rsh.sh reads has a word on a line.
        if (($word -eq '') -or $word.Contains("`n")) {
            Stop-AwXWith 1 'the way into this workspace has a word that rsync cannot be given'
        }
    }
    $full = $way['Full']
    $named = $full
    foreach ($name in $names) {
        $named = $name
    }
    if ($direction -ceq 'push') {
        $source = Get-AwXPathHere $paths[0]
        $target = "${full}:$(Get-AwXPathThere $paths[1])"
    } else {
        $source = "${full}:$(Get-AwXPathThere $paths[0])"
        $target = Get-AwXPathHere $paths[1]
    }
    # rsync takes this apart itself, and a quote within quotes is doubled there.
    $shell = [System.IO.Path]::Combine($script:AwXWrappers, 'share', 'rsh.sh').Replace("'", "''")
    $all = [System.Collections.Generic.List[string]]::new()
    # -s: the workspace's side gets its paths as they are, whatever is in them.
    $all.AddRange([string[]] @('-s', '-rlpt', '--partial'))
    if (-not [Console]::IsErrorRedirected) {
        $all.Add('--progress')
    }
    $all.AddRange([string[]] @('-e', "sh '$shell'"))
    $all.AddRange($flags)
    $all.AddRange($more)
    $all.AddRange([string[]] @('--', $source, $target))
    $environment = @{ AGENT_WORKSPACE_RSH = ($way['Exec'] -join "`n"); AGENT_WORKSPACE_RSH_QUOTING = $way['Quoting'] }
    $copied = Invoke-AwXProcess -File $rsync -Words $all -Environment $environment
    if (@(12, 126, 127) -contains $copied.Code) {
        Write-AwXHint "is rsync in the workspace? agent-workspace exec --root $named -- apt-get install -y rsync"
    }
    if ($copied.Code -ne 0) {
        Stop-AwX $copied.Code
    }
}

# Two colons would be a daemon of rsync.
function Get-AwXPathThere {
    param([string] $Path)
    if ($Path.StartsWith(':', [System.StringComparison]::Ordinal)) {
        return "./$Path"
    }
    return $Path
}

# A path of this machine with a colon in it would be taken for a host's.
function Get-AwXPathHere {
    param([string] $Path)
    if ((-not $Path.StartsWith('/', [System.StringComparison]::Ordinal)) -and $Path.Contains(':')) {
        return "./$Path"
    }
    return $Path
}
