# Defines the commands. What they are made of is loaded, and the library found and bound, when the first of them runs: an import
# costs little more than PowerShell's own part of it. Nothing here or on a hot path calls a cmdlet outside
# Microsoft.PowerShell.Core, because the first call of one loads its module and costs a tenth of a second.
if ("$($ExecutionContext.SessionState.LanguageMode)" -ne 'FullLanguage') { throw 'DelegatedTenant needs FullLanguage to call its library. Where a policy enforces ConstrainedLanguage, the policy has to trust the module: sign its files, and allow the signer.' }

# All that differs between Windows PowerShell 5.1 and PowerShell 7. Nothing else in the module asks which one runs it.
$script:Edition = @{
    OtherSystems = $PSVersionTable.PSEdition -eq 'Core'             # it may be Linux or macOS: $IsLinux and $IsMacOS exist
    Utf8Pointers = $PSVersionTable.PSEdition -eq 'Core'             # .NET Framework reads no UTF-8 string from a pointer
    CleanBlock   = [bool] ('Clean' -as [System.Management.Automation.Language.TokenKind]) # 7.3: a function may have a clean block, which 5.1 cannot even read
}

foreach ($name in 'Connect-DelegatedTenant', 'Get-DelegatedTenant', 'Invoke-TenantCmdlet', 'Disconnect-DelegatedTenant', 'Import-DelegatedTenant', 'Test-DelegatedTenant') { . ([IO.Path]::Combine($PSScriptRoot, 'Public', "$name.ps1")) }
# A pipeline that breaks off above Invoke-TenantCmdlet (Ctrl+C, a throw) runs nothing of it but a clean block. Where there is none, what
# is left running is found when the session is next used.
if ($script:Edition.CleanBlock) {
    # From what PowerShell has read of the file, and has checked under AllSigned; the file itself is not read again.
    $definition = ${function:Invoke-TenantCmdlet}.Ast.Extent
    $text = $definition.Text.Insert($definition.Text.LastIndexOf('}'), '    clean { if ($flow) { Stop-Flow $flow } }' + "`n")
    . ([System.Management.Automation.Language.Parser]::ParseInput($text, $definition.File, [ref] $null, [ref] $null).GetScriptBlock())
}

$script:Native = $null
# Sessions that this module has opened and not closed, by Id as text.
$script:Sessions = [ordered] @{}

function Initialize-Module {
    if ($script:Native) { return }
    # The files name their functions script:, since they are read from within this one.
    foreach ($name in 'Library', 'Native', 'Lifetime', 'Failure', 'Clixml', 'Session', 'Selection', 'Proxy', 'Command', 'HostCall', 'Invocation', 'Flow', 'Job', 'Completion', 'Check', 'Renewal', 'Certificate') { . ([IO.Path]::Combine($PSScriptRoot, 'Private', "$name.ps1")) }
    $script:Library = Find-NativeLibrary $PSScriptRoot
    $script:Native = Initialize-Native $script:Library
    $ExecutionContext.SessionState.Module.OnRemove = { Close-EverySession }
}
