# The examples of every command's help, run against the simulated tenant as they stand there. What an example takes for granted (its
# credential, a session, the module of a partner) is here; its servers, which do not exist, lead to the simulated tenant.
BeforeDiscovery {
    . "$PSScriptRoot/TestServers.ps1"
    Import-ModuleUnderTest
    $examples = foreach ($name in (Get-Module DelegatedTenant).ExportedFunctions.Keys) {
        $number = 0
        foreach ($example in (Get-Command $name).ScriptBlock.Ast.GetHelpContent().Examples) {
            $number++
            # The code goes up to the first empty line; then comes what it does.
            $code = ($example.Trim() -split "\r?\n[ \t]*\r?\n")[0]
            $application = $code -match '-AppId'
            if (-not $application) { @{ Road = 'WS-Management'; Command = $name; Number = $number; Code = $code } }
            # On Exchange Online too, unless it names a server of one's own.
            if ($code -notmatch 'https?://|-ConnectionUri|-ComputerName') { @{ Road = 'REST'; Command = $name; Number = $number; Code = $code } }
        }
    }
}

BeforeAll {
    . "$PSScriptRoot/TestServers.ps1"
    Import-ModuleUnderTest
    $tenant = Start-Simulator '--max-shells', '8'
    $credential = New-TestCredential
    $folder = [IO.Directory]::CreateDirectory([IO.Path]::Combine([IO.Path]::GetTempPath(), [guid]::NewGuid())).FullName
    $file = [IO.Path]::Combine($folder, 'boxes.ps1')
    [IO.File]::WriteAllText($file, 'param($n) Get-Mailbox -ResultSize $n')
}

AfterAll {
    try { Disconnect-DelegatedTenant -Name * } finally { Stop-TestServers; [IO.Directory]::Delete($folder, $true) }
}

Describe 'The examples in the help' -Skip:(-not $env:DT_SIM) {
    BeforeEach {
        $uri = $tenant.Uri
        $rest = [uri]::new([uri] $uri, '/adminapi/beta').AbsoluteUri
        $authority = [uri]::new([uri] $uri, '/').AbsoluteUri
        $app = '11111111-2222-3333-4444-555555555555'
        $secret = (New-TestCredential 'x' 'app-secret').Password
        $token = (New-TestCredential 'x' 'partner-refresh-token').Password
        $identity = $mailbox = 'user00001'
        if ($Road -eq 'REST') { $uri = "$rest -AzureADAuthorizationEndpointUri $authority" }
        $session = . ([scriptblock]::Create("Connect-DelegatedTenant -ConnectionUri $uri -Organization fabrikam.com -Credential `$credential -AllowUnencrypted -Name Example"))
        $customers = [pscustomobject] @{ DefaultDomainName = 'contoso.com' }
        function Get-PartnerToken { $credential.Password }
        function Get-Credential { $credential }
        function Get-MsolPartnerContract([switch] $All) { [pscustomobject] @{ DefaultDomainName = 'contoso.com' } }
    }
    AfterEach { Get-Job | Remove-Job -Force; Disconnect-DelegatedTenant -Name * }

    It '<Road>: <Command>, example <Number>: <Code>' -ForEach $examples {
        $text = $Code
        # Connecting: to the simulated tenant, which speaks http.
        $text = [regex]::Replace($text, '(Connect|Test)-DelegatedTenant(?! -\w*ComputerName)(?: ''?http\S+| -ConnectionUri \S+)?', "`$1-DelegatedTenant -ConnectionUri $uri -AllowUnencrypted")
        # A call that opens its own session on Exchange Online.
        $text = $text -replace 'Invoke-TenantCmdlet -Organization', "Invoke-TenantCmdlet -ConnectionUri $uri -AllowUnencrypted -Organization"
        $text = $text.Replace('.\Nightly.ps1', '$null')
        $text = $text -replace 'Connect-DelegatedTenant -ComputerName \S+ -UseSSL', "Connect-DelegatedTenant -ComputerName $(([uri] $uri).Host) -Port $(([uri] $uri).Port) -ApplicationName $(([uri] $uri).AbsolutePath) -AllowUnencrypted"
        $text = $text -replace '-ConnectionUri \$uri(?! -AllowUnencrypted)', '-ConnectionUri $uri -AllowUnencrypted'
        $text = $text -replace '(-AllowUnencrypted.*) -AllowUnencrypted', '$1'
        $failed = @()
        $ErrorActionPreference = 'Continue'
        $null = . ([scriptblock]::Create($text)) 3>$null 6>$null 2>&1 | ForEach-Object { if ($_ -is [System.Management.Automation.ErrorRecord]) { $failed += $_ } }
        # What is no fault of the example: these mailboxes have other names.
        @($failed | Where-Object { $_.CategoryInfo.Reason -ne 'ManagementObjectNotFoundException' }) | Should -BeNullOrEmpty
    }
}
