# What a script passes to a cmdlet on the REST road, as it is on the wire: each .NET type as Microsoft's module sends it. The values are
# the engine's, and what arrived is what the simulated tenant got.
BeforeAll {
    . "$PSScriptRoot/TestServers.ps1"
    Import-ModuleUnderTest
    $script:Tenant = Start-Simulator '--token', 'token-of-a-test', '--mailboxes', '1'
    $script:Session = Connect-DelegatedTenant ([uri]::new([uri] $script:Tenant.Uri, '/adminapi/beta')) -Organization fabrikam.com -AccessToken token-of-a-test -AllowUnencrypted -NoProxy -ErrorAction Stop

    # The parameters of the last request.
    function Get-Sent {
        (Invoke-Simulator $script:Tenant '/sim/last') -replace '^\{"CmdletInput":\{"CmdletName":"[\w-]+","Parameters":\{(.*)\}\}\}$', '$1'
    }
}
AfterAll {
    Disconnect-DelegatedTenant $script:Session
    Stop-TestServers
}

$table = '"@odata.type":"#Exchange.GenericHashTable"'
$bytes = '"@odata.type":"#Exchange.ByteArrayType"'
$moment = [datetime]::new(2024, 3, 1, 0, 30, 0, [DateTimeKind]::Utc)
$rows = @(
    @{ Name = 'text'; Value = "a`"b\c`né"; Sent = '"a\"b\\c\né"' }
    @{ Name = 'text with notes, as of a file'; Value = (Add-Member -InputObject 'noted' -NotePropertyName ReadCount -NotePropertyValue 1 -PassThru); Sent = '"noted"' }
    @{ Name = 'no text'; Value = ''; Sent = '""' }
    @{ Name = 'nothing'; Value = $null; Sent = 'null' }
    @{ Name = 'a truth'; Value = $true; Sent = 'true' }
    @{ Name = 'a switch'; Value = [switch] $true; Sent = 'true' }
    @{ Name = 'a number'; Value = 5; Sent = '5' }
    @{ Name = 'a long number'; Value = 5000000000; Sent = '5000000000' }
    @{ Name = 'a broken number'; Value = 1.5; Sent = '1.5' }
    @{ Name = 'a Guid'; Value = [guid] '792e5b37-4505-47ef-b7d2-8711bb7affa8'; Sent = '"792e5b37-4505-47ef-b7d2-8711bb7affa8"' }
    @{ Name = 'a member of an enumeration'; Value = [DayOfWeek]::Monday; Sent = '"Monday"' }
    @{ Name = 'a moment'; Value = $moment; Sent = '"2024-03-01T00:30:00.0000000Z"' }
    @{ Name = 'a moment with an offset'; Value = [DateTimeOffset]::new(2024, 3, 1, 2, 30, 0, [timespan]::FromHours(2)); Sent = '"2024-03-01T00:30:00.0000000Z"' }
    @{ Name = 'a date of nowhere'; Value = [datetime]::new(2024, 3, 1); Sent = '"2024-03-01T00:00:00.0000000"' }
    @{ Name = 'a span'; Value = [timespan] '1.02:03:04'; Sent = '"1.02:03:04"' }
    @{ Name = 'an address'; Value = [ipaddress] '10.0.0.1'; Sent = '"10.0.0.1"' }
    @{ Name = 'an address of the web'; Value = [uri] 'https://a/b'; Sent = '"https://a/b"' }
    @{ Name = 'a version'; Value = [version] '1.2.3'; Sent = '"1.2.3"' }
    @{ Name = 'a script block'; Value = { a -eq 'b' }; Sent = '" a -eq ''b'' "' }
    @{ Name = 'texts'; Value = 'a', 'b'; Sent = '["a","b"]' }
    @{ Name = 'one text in a list'; Value = @(, 'a'); Sent = '["a"]' }
    @{ Name = 'an empty list'; Value = @(); Sent = '[]' }
    @{ Name = 'an ArrayList'; Value = [Collections.ArrayList] ('a', 'b'); Sent = '["a","b"]' }
    @{ Name = 'a List'; Value = [Collections.Generic.List[string]] ('a', 'b'); Sent = '["a","b"]' }
    @{ Name = 'a list of many kinds'; Value = 'a', 1, $null, $true, $moment; Sent = '["a",1,null,true,"2024-03-01T00:30:00.0000000Z"]' }
    @{ Name = 'what is added and removed'; Value = [ordered] @{ Add = 'x', 'y'; Remove = 'z' }; Sent = "{$table,`"Add`":[`"x`",`"y`"],`"Remove`":`"z`"}" }
    @{ Name = 'a table in a table in a table'; Value = @{ a = @{ b = @{ c = $moment } } }; Sent = "{$table,`"a`":{$table,`"b`":{$table,`"c`":`"2024-03-01T00:30:00.0000000Z`"}}}" }
    @{ Name = 'tables'; Value = @{ a = 1 }, @{ b = 'x', 'y' }; Sent = "[{$table,`"a`":1},{$table,`"b`":[`"x`",`"y`"]}]"; Beside = '"#Collection(Exchange.GenericHashTable)"' }
    @{ Name = 'the same table twice'; Value = @(@{ a = 1 }) * 2; Sent = "[{$table,`"a`":1},{$table,`"a`":1}]"; Beside = '"#Collection(Exchange.GenericHashTable)"' }
    @{ Name = 'bytes'; Value = [byte[]] (1, 2, 255); Sent = "{$bytes,`"Data`":[1,2,255]}" }
    @{ Name = 'bytes in a table'; Value = @{ b = [byte[]] (1, 2) }; Sent = "{$table,`"b`":{$bytes,`"Data`":[1,2]}}" }
    @{ Name = 'lists of bytes'; Value = [byte[]] (1, 2), [byte[]] (, 3); Sent = '[{"Data":[1,2]},{"Data":[3]}]'; Beside = '"#Collection(Exchange.ByteArrayType)"' }
)

Describe 'A parameter on the REST road' {
    It 'arrives as <Sent>: <Name>' -TestCases $rows {
        param($Name, $Value, $Sent, $Beside)
        $parameters = @{ InputObject = $Value }
        $null = Invoke-TenantCmdlet $script:Session { Test-Echo @using:parameters } -ErrorAction Stop
        $before = if ($Beside) { "`"InputObject@odata.type`":$Beside," }
        Get-Sent | Should -Be "$before`"InputObject`":$Sent"
    }

    It 'that is an object of Exchange''s is its name' {
        $mailbox = Invoke-TenantCmdlet $script:Session { Get-Mailbox }
        $null = Invoke-TenantCmdlet $script:Session { Test-Echo -InputObject $using:mailbox }
        Get-Sent | Should -Be "`"InputObject`":`"$mailbox`""
    }

    It 'that is a SecureString arrives under the service''s key, also in a list and in a table' {
        $secret = (New-TestCredential 'x' 'long enough').Password
        foreach ($value in $secret, @($secret, $secret), @{ p = $secret }) {
            $parameters = @{ InputObject = $value }
            $null = Invoke-TenantCmdlet $script:Session { Test-Echo @using:parameters } -ErrorAction Stop
            # Of 2048 bits, each time another.
            $sent = @([regex]::Matches((Get-Sent), '"([A-Za-z0-9+/]{342}==)"') | ForEach-Object { $_.Groups[1].Value })
            $sent.Count | Should -Be @($value).Count
            @($sent | Select-Object -Unique).Count | Should -Be $sent.Count
        }
        # And is read there.
        (Invoke-TenantCmdlet $script:Session { New-Mailbox typed -Password $using:secret }).Alias | Should -Be 'typed'
    }

    It 'that is to be a SecureString and is a text does not go out' {
        $before = (Get-SimulatorStat $script:Tenant).operations.rest
        # The module is known for the second: it says which parameters are secrets.
        foreach ($block in { New-Mailbox plain -Password 'a secret' }, { New-Mailbox plain -Pass 'a secret' }) {
            $caught = try { Invoke-TenantCmdlet $script:Session $block -ErrorAction Stop } catch { $_ }
            $caught.FullyQualifiedErrorId | Should -Be 'CannotConvertArgumentNoMessage,New-Mailbox'
            "$caught" | Should -Match "parameter 'Password'"
            "$caught" | Should -Not -Match 'a secret'
        }
        (Get-SimulatorStat $script:Tenant).operations.rest | Should -Be $before
    }

    It 'that has no form there is refused by its name, before anything runs: <Type>' -TestCases @(
        @{ Type = 'a PSCredential'; Value = [pscredential]::new('user', (ConvertTo-SecureString 'pa55 word' -AsPlainText -Force)) }
        @{ Type = 'a PSCredential'; Value = @{ c = [pscredential]::new('user', (ConvertTo-SecureString 'pa55 word' -AsPlainText -Force)) } }
        @{ Type = 'an object without a text of its own'; Value = [pscustomobject] @{ Name = 'x' } }
    ) {
        param($Type, $Value)
        $parameters = @{ Office = $Value }
        $before = (Get-SimulatorStat $script:Tenant).operations.rest
        foreach ($block in { Set-Mailbox typed @using:parameters }, { Get-Mailbox typed | Set-Mailbox @using:parameters }) {
            $caught = try { Invoke-TenantCmdlet $script:Session $block -ErrorAction Stop } catch { $_ }
            "$caught" | Should -Be "run command: the parameter Office of Set-Mailbox is given $Type, for which the REST API has no form"
            $caught.FullyQualifiedErrorId | Should -BeLike 'InvalidArgument*'
        }
        (Get-SimulatorStat $script:Tenant).operations.rest | Should -Be $before
    }
}
