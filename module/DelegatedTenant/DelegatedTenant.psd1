@{
    RootModule           = 'DelegatedTenant.psm1'
    ModuleVersion        = '0.1.0'
    GUID                 = '7c0d2f3e-6a54-4a0e-9a65-0f6b0a2f4c11'
    Author               = 'The DelegatedTenant project'
    CompanyName          = 'The DelegatedTenant project'
    Copyright            = 'MIT licence'
    Description          = 'Sessions on customers'' Exchange organizations, on behalf of a partner: connect, invoke, disconnect.'
    PowerShellVersion    = '5.1'
    CompatiblePSEditions = 'Desktop', 'Core'
    FormatsToProcess     = 'DelegatedTenant.Format.ps1xml'
    FunctionsToExport    = 'Connect-DelegatedTenant', 'Get-DelegatedTenant', 'Invoke-TenantCmdlet', 'Disconnect-DelegatedTenant', 'Import-DelegatedTenant', 'Test-DelegatedTenant'
    CmdletsToExport      = @()
    VariablesToExport    = @()
    AliasesToExport      = @()
    PrivateData          = @{
        PSData = @{
            Tags         = 'Exchange', 'DelegatedAdministration', 'Remoting', 'PSRP', 'WSMan', 'Windows', 'Linux', 'PSEdition_Core', 'PSEdition_Desktop'
            LicenseUri   = 'https://opensource.org/license/mit'
            ProjectUri   = 'https://github.com/delegated-tenant/delegated-tenant'
            ReleaseNotes = 'https://github.com/delegated-tenant/delegated-tenant/blob/main/CHANGELOG.md'
        }
    }
}
