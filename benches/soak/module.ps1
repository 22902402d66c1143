# The PowerShell half of benches/soak: says "at N" after N sessions, and waits for a line.
param([string] $Module, [string] $Uri, [string] $Marks)
$ErrorActionPreference = 'Stop'
Import-Module $Module
$password = [securestring]::new()
foreach ($character in 'secret'.ToCharArray()) { $password.AppendChar($character) }
$credential = [pscredential]::new('admin@partner.com', $password)
$at = [int[]] $Marks.Split(',')
foreach ($cycle in 1..$at[-1]) {
    $session = Connect-DelegatedTenant $Uri -Organization fabrikam.com -Credential $credential -AllowUnencrypted
    $mailboxes = @(Invoke-TenantCmdlet $session { Get-Mailbox })
    if (-not $mailboxes.Count) { throw 'no mailbox came' }
    Disconnect-DelegatedTenant $session
    if ($cycle -in $at) {
        $session = $mailboxes = $null
        # What is only garbage is no leak.
        foreach ($turn in 1..2) { [GC]::Collect(2, 'Forced', $true, $true); [GC]::WaitForPendingFinalizers() }
        [Console]::WriteLine("at $cycle")
        $null = [Console]::ReadLine()
    }
}
