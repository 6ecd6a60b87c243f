# Completion of agent-workspace for PowerShell 7.2 or later. Use it with:
#   agent-workspace completion powershell | Out-String | Invoke-Expression
# The launcher itself says what may stand where; this only asks it. The launcher's path may stand in
# $__agent_workspace_completion_launcher; without it, the program on PATH is asked.

Register-ArgumentCompleter -Native -CommandName @(
    'agent-workspace', 'aw', 'awa', 'awac', 'awag', 'awah', 'awc', 'awe', 'awls', 'awm', 'awr', 'awro', 'awrp', 'awrr',
    'awrw', 'awsh', 'awt'
) -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $launcher = Microsoft.PowerShell.Utility\Get-Variable -Name '__agent_workspace_completion_launcher' -ValueOnly -ErrorAction Ignore
    if (-not $launcher) {
        $found = @(Microsoft.PowerShell.Core\Get-Command -Name 'agent-workspace' -CommandType Application -ErrorAction Ignore)
        if ($found.Count -eq 0) { return }
        $launcher = $found[0].Source
    }

    # Words before the cursor as they are meant, without quotes; the one at the cursor as far as it is typed.
    $typed = "$wordToComplete"
    $words = @(foreach ($element in $commandAst.CommandElements) {
        if ($element.Extent.StartOffset -ge $cursorPosition) { break }
        if ($typed -ne '' -and $element.Extent.EndOffset -ge $cursorPosition) { break }
        if ($element -is [System.Management.Automation.Language.StringConstantExpressionAst]) { $element.Value }
        else { $element.Extent.Text }
    })
    $typed = $typed.Trim("'", '"')
    $ask = @('__complete', '--shell', 'powershell', '--index', "$($words.Count)")
    # A wrapper goes by the program's name.
    $wrapper = Microsoft.PowerShell.Core\Get-Command -Name 'agent-workspace' -CommandType @('Alias', 'Function') -ErrorAction Ignore
    if ($null -ne $wrapper) { $ask += '--wrapper' }
    $ask += '--'
    $ask += $words
    # An empty last word may be left out: the launcher takes one that is not there for empty.
    if ($typed -ne '') { $ask += $typed }

    # Called as a command it would be handed a word with a star as a pattern of file names, and set the exit code of the
    # last command, though who presses Tab has run nothing.
    $start = [System.Diagnostics.ProcessStartInfo]::new($launcher)
    foreach ($word in $ask) { $start.ArgumentList.Add($word) }
    $start.RedirectStandardInput = $true
    $start.RedirectStandardOutput = $true
    $start.RedirectStandardError = $true
    $start.StandardOutputEncoding = [System.Text.UTF8Encoding]::new($false)
    try {
        $process = [System.Diagnostics.Process]::Start($start)
        $process.StandardInput.Close()
        $unread = $process.StandardError.ReadToEndAsync()
        $lines = @($process.StandardOutput.ReadToEnd() -split '\r?\n')
        $null = $unread.Wait(1000)
        $process.Dispose()
    } catch { return }

    foreach ($line in $lines) {
        if ($line -eq ':files') {
            $before = ''
            $path = $typed
            if ($typed -match '^(--[^=]+=)(.*)$') {
                $before = $Matches[1]
                $path = $Matches[2]
            }
            foreach ($file in [System.Management.Automation.CompletionCompleters]::CompleteFilename($path)) {
                [System.Management.Automation.CompletionResult]::new(
                    "$before$($file.CompletionText)", $file.ListItemText, $file.ResultType, $file.ToolTip)
            }
            continue
        }
        $word, $meaning = "$line" -split "`t", 2
        if (-not $word) { continue }
        if (-not $meaning) { $meaning = $word }
        $kind = if ($word.StartsWith('-')) { 'ParameterName' } else { 'ParameterValue' }
        [System.Management.Automation.CompletionResult]::new($word, $word, $kind, $meaning)
    }
}
