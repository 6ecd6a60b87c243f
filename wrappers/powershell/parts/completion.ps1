# Registers the completion. What completes is the launcher's, and is asked for at the first Tab.

$script:AwXCompleted = $false

# Puts the launcher's own completion in the place of this one. Tells whether there is any.
function Register-AwXCompletion {
    if ($script:AwXCompleted) {
        return $false
    }
    $launcher = Find-AwXLauncher
    if ($launcher -eq '') {
        return $false
    }
    $asked = Invoke-AwXProcess -File $launcher -Words @('completion', 'powershell') -Capture -NoInput -NoErrors
    if ($asked.Code -ne 0) {
        return $false
    }
    $script:AwXCompleted = $true
    # Where that completion looks for the launcher.
    $global:__agent_workspace_completion_launcher = $launcher
    $null = & ([scriptblock]::Create((ConvertTo-AwXText $asked.Bytes)))
    return $true
}

Microsoft.PowerShell.Core\Register-ArgumentCompleter -Native -CommandName @(
    'agent-workspace', 'aw', 'awa', 'awac', 'awag', 'awah', 'awc', 'awe', 'awls', 'awm', 'awr', 'awro', 'awrp', 'awrr',
    'awrw', 'awsh', 'awt') -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    if (Register-AwXCompletion) {
        # Once more, and now the launcher's is asked.
        $line = $commandAst.Extent.StartScriptPosition.GetFullScript()
        $answer = [System.Management.Automation.CommandCompletion]::CompleteInput($line, $cursorPosition, $null)
        $answer.CompletionMatches
    }
}
