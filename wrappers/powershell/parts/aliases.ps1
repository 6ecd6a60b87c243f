# The short names. Those that stand for several words are functions: an alias is another name for one word only.

$script:AwXFunctions = @(
    'Invoke-AgentWorkspace',
    'awc', 'awls', 'awe', 'awsh', 'awm', 'awt', 'awr', 'awrr', 'awrw', 'awro', 'awrp', 'awa', 'awah', 'awac', 'awag')
$script:AwXAliases = @('agent-workspace', 'aw')

function awc { Invoke-AwXCommand $MyInvocation @($input) (@('create') + $args) }
function awls { Invoke-AwXCommand $MyInvocation @($input) (@('ls') + $args) }
function awe { Invoke-AwXCommand $MyInvocation @($input) (@('exec') + $args) }
function awsh { Invoke-AwXCommand $MyInvocation @($input) (@('shell') + $args) }
function awm { Invoke-AwXCommand $MyInvocation @($input) (@('rm') + $args) }
function awt { Invoke-AwXCommand $MyInvocation @($input) (@('tunnel') + $args) }
function awr { Invoke-AwXCommand $MyInvocation @($input) (@('reset') + $args) }
function awrr { Invoke-AwXCommand $MyInvocation @($input) (@('reset', 'repo') + $args) }
function awrw { Invoke-AwXCommand $MyInvocation @($input) (@('reset', 'work-repos') + $args) }
function awro { Invoke-AwXCommand $MyInvocation @($input) (@('reset', 'opt-repos') + $args) }
function awrp { Invoke-AwXCommand $MyInvocation @($input) (@('reset', 'private-repo') + $args) }
function awa { Invoke-AwXCommand $MyInvocation @($input) (@('auth') + $args) }
function awah { Invoke-AwXCommand $MyInvocation @($input) (@('auth', 'github') + $args) }
function awac { Invoke-AwXCommand $MyInvocation @($input) (@('auth', 'codex') + $args) }
function awag { Invoke-AwXCommand $MyInvocation @($input) (@('auth', 'gpg') + $args) }

Microsoft.PowerShell.Utility\Set-Alias -Name 'agent-workspace' -Value 'Invoke-AgentWorkspace'
Microsoft.PowerShell.Utility\Set-Alias -Name 'aw' -Value 'Invoke-AgentWorkspace'
