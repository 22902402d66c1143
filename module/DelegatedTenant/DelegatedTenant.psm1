# Binds the library, then loads the three commands. Nothing here or on a hot path calls a cmdlet outside Microsoft.PowerShell.Core:
# the first call of one loads its module and costs a tenth of a second.
foreach ($name in 'Native', 'Lifetime', 'Failure', 'Clixml', 'Session', 'Command', 'HostCall', 'Invocation') { . "$PSScriptRoot/Private/$name.ps1" }
foreach ($name in 'Connect-DelegatedTenant', 'Invoke-TenantCmdlet', 'Disconnect-DelegatedTenant') { . "$PSScriptRoot/Public/$name.ps1" }

$script:Library = Find-NativeLibrary $PSScriptRoot
$script:Native = Initialize-Native $script:Library
# Sessions that this module has opened and not closed, by Id.
$script:Sessions = [System.Collections.Specialized.OrderedDictionary]::new()

$ExecutionContext.SessionState.Module.OnRemove = { Close-EverySession }
