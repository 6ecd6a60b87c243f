@{
    RootModule = 'AgentWorkspace.psm1'
    ModuleVersion = '0.2.0'
    GUID = '5d0f7c1e-6b0a-4f0e-9a55-1c1a3f7b2d64'
    Author = 'agent-workspace'
    Copyright = 'MIT'
    Description = 'The command agent-workspace, with short names and completion, over the launcher of the same name'
    PowerShellVersion = '7.2'
    CompatiblePSEditions = @('Core')
    FunctionsToExport = @(
        'Invoke-AgentWorkspace',
        'awc', 'awls', 'awe', 'awsh', 'awm', 'awt', 'awr', 'awrr', 'awrw', 'awro', 'awrp', 'awa', 'awah', 'awac', 'awag'
    )
    AliasesToExport = @('agent-workspace', 'aw')
    CmdletsToExport = @()
    VariablesToExport = @()
}
