# The same block through Invoke-Command on a genuine PSSession and through Invoke-TenantCmdlet must give the same records.
BeforeDiscovery {
    $rows = & "$PSScriptRoot/ParityRows.ps1"
    # Some of them, to look at closely.
    if ($env:DT_PARITY_ROWS) { $rows = @($rows | Where-Object { $_.Name -match $env:DT_PARITY_ROWS }) }
}

BeforeAll {
    . "$PSScriptRoot/TestServers.ps1"
    Import-ModuleUnderTest
    $endpoint = Start-Endpoint
    $language = Start-Endpoint '--configuration', "$TestRoot/language.pssc"
    $judge = @((New-JudgeSession "$Shared/endpoint/tenant.pssc"), (New-JudgeSession "$Shared/endpoint/tenant.pssc"))
    $judgeOfLanguage = New-JudgeSession "$TestRoot/language.pssc"
    $ours = @((Connect-Endpoint $endpoint), (Connect-Endpoint $endpoint))
    $oursOfLanguage = Connect-Endpoint $language
    $folder = [IO.Directory]::CreateDirectory([IO.Path]::Combine([IO.Path]::GetTempPath(), [guid]::NewGuid())).FullName

    # In wine the judge's server is a Windows program and ours a Linux one: what DT_TEST_SAME names as the same is made so.
    $same = if ($env:DT_TEST_SAME) { $env:DT_TEST_SAME | ConvertFrom-Json }
    function Format-ForServer([string[]] $Lines) {
        $text = $Lines -join "`n"
        foreach ($pair in $same) { $text = $text -replace $pair }
        $text
    }

    # One record as text, down to what can be seen of it.
    function Format-Record($Record, [int] $Depth = 0) {
        $pad = '  ' * $Depth
        if ($null -eq $Record) { return "${pad}null" }
        if ($Depth -gt 6) { return "${pad}..." }
        $base = $Record.PSObject.BaseObject
        if ($base -is [System.Management.Automation.ErrorRecord]) {
            $c = $base.CategoryInfo
            return @(
                "${pad}error $($base.GetType().FullName)"
                "${pad}  id $($base.FullyQualifiedErrorId -replace 'Microsoft\.PowerShell\.Commands\.InvokeCommandCommand', 'Invoke-TenantCmdlet')"
                "${pad}  category $($c.Category) | $($c.Activity -replace '^Invoke-Command$', 'Invoke-TenantCmdlet') | $($c.Reason) | $($c.TargetName) | $($c.TargetType)"
                "${pad}  exception $($base.Exception.GetType().FullName): $($base.Exception.Message) thrown=$($base.Exception.WasThrownFromThrowStatement)"
                "${pad}  serialized $($base.Exception.SerializedRemoteException.PSObject.TypeNames -join ', ')"
                "${pad}  details $($base.ErrorDetails.Message) | $($base.ErrorDetails.RecommendedAction) | $base"
                "${pad}  command $($base.InvocationInfo.MyCommand -replace '^Invoke-Command$', 'Invoke-TenantCmdlet')"
                "${pad}  origin $($base.OriginInfo.PSComputerName)"
                if ($base.Exception -is [System.Management.Automation.RemoteException]) { "${pad}  stack $($base.ScriptStackTrace)" }
                "${pad}  target"
                Format-Record $base.TargetObject ($Depth + 2)
            )
        }
        if ($base -is [System.Management.Automation.InformationRecord]) {
            return @("${pad}information source=$($base.Source) tags=$($base.Tags -join ',') computer=$($base.Computer) user=$($base.User)"; Format-Record $base.MessageData ($Depth + 1))
        }
        if ($base -is [System.Management.Automation.InformationalRecord]) { return "${pad}$($base.GetType().FullName): $($base.Message)" }
        if ($base -is [securestring]) { return "${pad}secret $([pscredential]::new('u', $base.Copy()).GetNetworkCredential().Password)" }
        $text = if ($base -is [double]) { $base.ToString('R') } elseif ($base -is [datetime]) { "$($base.ToString('o')) $($base.Kind)" } else { "$Record" }
        $lines = @("${pad}$($base.GetType().FullName) [$($Record.PSObject.TypeNames -join ', ')] '$text'")
        if ($base -is [pscredential]) { return $lines + (Format-Record $base.Password ($Depth + 1)) }
        foreach ($property in $Record.PSObject.Properties) {
            if ($property.Name -in 'SyncRoot', 'Length', 'LongLength', 'Rank', 'Keys', 'Values', 'Count', 'Capacity', 'Parent', 'EnglishName') { if ($base -isnot [System.Management.Automation.PSCustomObject]) { continue } }
            # Of what the engine brings to life only the text and the notes are compared; its live properties run without an end.
            if ($base -isnot [System.Management.Automation.PSCustomObject] -and $property.MemberType -notin 'NoteProperty') { continue }
            # The engine's type table gives an address this property anyway; the native client also keeps the server's copy of it.
            if ($base -is [ipaddress] -and $property.Name -eq 'IPAddressToString') { continue }
            $value = $property.Value
            if ($property.Name -in 'RunspaceId') { $value = $value.GetType().FullName }
            if ($property.Name -in 'TimeGenerated', 'ProcessId', 'NativeThreadId', 'ManagedThreadId', 'HistoryId') { $value = 'varies' }
            $lines += "${pad}  .$($property.Name) ($($property.MemberType))"
            $lines += Format-Record $value ($Depth + 2)
        }
        if ($base -is [System.Collections.IDictionary]) {
            foreach ($key in @($base.Keys) | Sort-Object { "$_" }) { $lines += "${pad}  key $key"; $lines += Format-Record $base[$key] ($Depth + 2) }
        }
        elseif ($base -is [System.Collections.IEnumerable] -and $base -isnot [string] -and $base -isnot [System.Xml.XmlNode]) {
            foreach ($element in $base) { $lines += Format-Record $element ($Depth + 2) }
        }
        $lines
    }

    # Runs a row with one of the two, and writes down all that it says: in order where the native one can be redirected.
    function Invoke-Row($Row, [string] $Verb, $Sessions) {
        $user = 'user00003'; $digit = 4; $command = 'Get-Mailbox'; $list = 'user00001', 'user00002'; $one = , 'user00006'
        $object = [pscustomobject] @{ Id = 'user00005' }
        $splat = @{ Identity = 'user00007' }
        $change = @{ Identity = 'user00004'; DisplayName = 'Splatted'; HiddenFromAddressListsEnabled = $false }
        $deep = [pscustomobject] @{ Table = @{ EmailAddresses = @{ remove = 'a', 'b' } }; List = 1, @(2, @(3)) }
        $live = [uri] 'http://contoso.com/a?b=c'
        $code = { Get-Mailbox }
        $long = 'x' * 200000
        $short = ConvertTo-SecureString 'abc' -AsPlainText -Force
        $password = ConvertTo-SecureString 'Pässw0rd 123' -AsPlainText -Force
        $hidden = [pscustomobject] @{ Deep = @{ Secret = $password }; Credential = [pscredential]::new('me', $short) }
        $with = if ($Row.With) { $Row.With } else { @{} }
        $lines = [System.Collections.Generic.List[string]]::new()
        $take = { foreach ($line in Format-Record $_) { $lines.Add($line) } }
        $block = $Row.Block
        if ($Row.Run) {
            Set-Alias go $Verb
            return @(& $Row.Run $Sessions) -replace '[0-9a-f]{8}-[0-9a-f-]{27}', '...' -replace 'Microsoft\.PowerShell\.Commands\.InvokeCommandCommand|Invoke-Command', 'Invoke-TenantCmdlet'
        }
        if ($Row.File) {
            $file = "$folder/$Verb.ps1"
            [IO.File]::WriteAllText($file, $Row.File)
            $with = $with + @{ FilePath = $file }
        }
        elseif (-not $Row.Job) { $with = $with + @{ ScriptBlock = $block } }
        try {
            if ($Row.Job) {
                $job = & $Verb -Session $Sessions -ScriptBlock $block -AsJob @with
                $null = Wait-Job $job
                $tell = { "job $($job.PSJobTypeName) $($job.State) more=$($job.HasMoreData) at=$($job.Location) [$($job.Command)] begun=$($null -ne $job.PSBeginTime) ended=$($null -ne $job.PSEndTime)"; foreach ($child in $job.ChildJobs) { "child $($child.State) more=$($child.HasMoreData) at=$($child.Location) [$($child.Command)] reason=$($child.JobStateInfo.Reason.Message) out=$($child.Output.Count) err=$($child.Error.Count)" } }
                foreach ($line in & $tell) { $lines.Add($line) }
                $job | Receive-Job -WarningVariable warned 2>&1 6>&1 3>$null | ForEach-Object {
                    # The native job tells its children of -HideComputerName after it has begun: what came before says that it is hidden.
                    $show = $_.PSObject.Properties['PSShowComputerName']
                    if ($show -and $Verb -eq 'Invoke-Command' -and -not $with.HideComputerName) { $show.Value = $true }
                    $_
                } | ForEach-Object $take
                foreach ($line in & $tell) { $lines.Add($line) }
                Remove-Job $job
                $lines.Add("left $(@(Get-Job).Count)")
                if ($Row.Two) { $lines.Sort() }
                return @($lines) -replace '[0-9a-f]{8}-[0-9a-f-]{27}', '...' -replace 'Microsoft\.PowerShell\.Commands\.InvokeCommandCommand|Invoke-Command', 'Invoke-TenantCmdlet'
            }
            if ($Row.Inner) { & { $inner = 'user00008'; & $Verb -Session $Sessions @with 2>&1 6>&1 3>$null 4>$null } | ForEach-Object $take }
            elseif ($Row.ContainsKey('In')) { $Row.In | & $Verb -Session $Sessions @with -WarningVariable warned -ErrorVariable failed 2>&1 6>&1 3>$null 4>$null | ForEach-Object $take }
            else { & $Verb -Session $Sessions @with -WarningVariable warned -ErrorVariable failed 2>&1 6>&1 3>$null 4>$null | ForEach-Object $take }
        }
        catch {
            $lines.Add('thrown')
            foreach ($line in Format-Record $_) { $lines.Add($line) }
        }
        foreach ($record in $warned) { foreach ($line in Format-Record $record) { $lines.Add("warned $line") } }
        $lines.Add("collected $($failed.Count)")
        if ($Row.Two) { $lines.Sort() }
        foreach ($line in $lines) { if (-not $Row.Except -or $line -notmatch "^\s*$($Row.Except) ") { $line -replace '(RunspaceId=)[0-9a-f-]{36}', '$1...' } }
    }
}

AfterAll {
    try {
        $judge, $judgeOfLanguage | ForEach-Object { $_ } | Remove-PSSession
        $ours + $oursOfLanguage | Disconnect-DelegatedTenant
    }
    finally { Stop-TestServers; [IO.Directory]::Delete($folder, $true) }
}

Describe 'Invoke-TenantCmdlet gives what Invoke-Command gives' {
    It '<Name>' -ForEach $rows {
        $row = $_
        $native = if ($row.Language) { $judgeOfLanguage } elseif ($row.Two) { $judge } else { $judge[0] }
        $mine = if ($row.Language) { $oursOfLanguage } elseif ($row.Two) { $ours } else { $ours[0] }
        $expected = Invoke-Row $row 'Invoke-Command' $native
        $actual = Invoke-Row $row 'Invoke-TenantCmdlet' $mine
        # The whole of both, for a diff: a failed comparison shows one place only.
        if ($env:DT_PARITY_DUMP) { [IO.File]::WriteAllLines("$env:DT_PARITY_DUMP/expected.txt", [string[]] $expected); [IO.File]::WriteAllLines("$env:DT_PARITY_DUMP/actual.txt", [string[]] $actual) }
        Format-ForServer $actual | Should -BeExactly (Format-ForServer $expected)
    }
}
