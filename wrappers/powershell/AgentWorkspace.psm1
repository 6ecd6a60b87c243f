# Brings the parts together. Everything else, and every reason, is in parts/NAME.ps1.

Microsoft.PowerShell.Core\Set-StrictMode -Version 3.0

# These three are the module's own: the caller's session keeps what it has.
$ErrorActionPreference = 'Stop'
$PSNativeCommandUseErrorActionPreference = $false
# Only where the variable exists (7.3 and later) does the call operator hand over every word as it is.
$script:AwXExactCalls = $null -ne (Microsoft.PowerShell.Utility\Get-Variable -Name 'PSNativeCommandArgumentPassing' -ErrorAction Ignore)
if ($script:AwXExactCalls) {
    $PSNativeCommandArgumentPassing = 'Standard'
}

# The folder of all wrappers: what they share is beside this module.
$script:AwXWrappers = [System.IO.Path]::GetDirectoryName($PSScriptRoot)

foreach ($part in @(
        'messages', 'launcher', 'gate', 'pick', 'call', 'create', 'credentials', 'auth', 'snapshot', 'repos', 'attach',
        'sync', 'reset', 'remove', 'open', 'aliases', 'completion', 'dispatch')) {
    . ([System.IO.Path]::Combine($PSScriptRoot, 'parts', "$part.ps1"))
}

Microsoft.PowerShell.Core\Export-ModuleMember -Function $script:AwXFunctions -Alias $script:AwXAliases
