# What must be the same through Invoke-Command and through Invoke-TenantCmdlet. Each row is run by both, in this order, on two servers of
# one kind. Keys:
#   Block      the script block; the variables that it uses are those of Invoke-Row
#   With       further parameters
#   In         pipeline input
#   Two        on two sessions at once (compared without order)
#   Job        as a job, which is waited for and received
#   File       the text of a file, for -FilePath
#   Run        instead of a block: what to do with the verb, called go, and the sessions; its output is compared as text
#   Language   on a server with a language instead of a tenant's
#   Except     lines of the record that may differ, as a pattern, with Because: the reason
@(
    # B.9: objects
    @{ Name = 'objects of a tenant'; Block = { Get-Mailbox -ResultSize 3 } }
    @{ Name = 'a value of every type'; Block = { Get-Everything } }
    @{ Name = 'one object'; Block = { Get-Mailbox user00001 } }
    @{ Name = 'nothing'; Block = { Get-Mailbox -Anr zzz } }
    @{ Name = 'strings'; Block = { Get-Slowly -Count 2 -Milliseconds 1 } }
    @{ Name = 'selected properties'; Block = { Get-Mailbox -ResultSize 2 | Select-Object -Property DisplayName, PrimarySmtpAddress } }
    @{ Name = 'a parameter that the restricted Select-Object lacks'; Block = { Get-Mailbox -ResultSize 4 | Select-Object -ExpandProperty RecipientTypeDetails } }
    @{ Name = 'hidden computer name'; Block = { Get-AcceptedDomain }; With = @{ HideComputerName = $true } }
    @{ Name = 'a secret'; Block = { Get-Secret } }
    @{ Name = 'measured'; Block = { Get-Mailbox | Measure-Object } }
    @{ Name = 'metadata'; Block = { Get-Command Get-Mailbox | Select-Object Name, CommandType } }

    # B.7: conversion
    @{ Name = '$using: of a name'; Block = { Get-Mailbox -Identity $using:user } }
    @{ Name = '$using: of a property'; Block = { Get-Mailbox $using:object.Id } }
    @{ Name = '$using: of an element'; Block = { Get-Mailbox $using:list[1] } }
    @{ Name = '$using: within a string'; Block = { Get-Mailbox "user0000$using:digit" } }
    @{ Name = 'an expression within a string'; Block = { Get-Mailbox "user0000$(1 + 1)" } }
    @{ Name = '@using: of a table'; Block = { Get-Mailbox @using:splat } }
    @{ Name = '@using: of a list'; Block = { Get-Mailbox @using:one } }
    @{ Name = '& $using:'; Block = { & $using:command -ResultSize 1 } }
    @{ Name = '& ($using:) with a splat'; Block = { & ($using:command) @using:splat } }
    @{ Name = "& 'name'"; Block = { & 'Get-Mailbox' user00002 } }
    @{ Name = 'param with a splat'; Block = { param($p) Get-Mailbox @p }; With = @{ ArgumentList = @(@{ Identity = 'user00003' }) } }
    @{ Name = 'param with a default'; Block = { param($p, $q = 2) Get-Mailbox -Anr $p -ResultSize $q }; With = @{ ArgumentList = 'user' } }
    @{ Name = '$args'; Block = { Get-Mailbox $args[0] }; With = @{ ArgumentList = 'user00004' } }
    @{ Name = 'positional after a pair'; Block = { Get-Mailbox -ResultSize 5 $using:user } }
    @{ Name = 'a switch before a position'; Block = { Get-Mailbox -Archive user00001 } }
    @{ Name = '-Switch:$false'; Block = { Remove-Mailbox nobody -Confirm:$false } }
    @{ Name = '-Name:value'; Block = { Get-Mailbox -Identity:user00005 } }
    @{ Name = 'abbreviated parameter'; Block = { Get-Mailbox -Id user00006 } }
    @{ Name = 'alias of a parameter'; Block = { Get-Mailbox -Alias user00007 } }
    @{ Name = 'Unlimited as a word'; Block = { Get-Mailbox -ResultSize Unlimited | Measure-Object } }
    @{ Name = 'hexadecimal'; Block = { Get-Mailbox -ResultSize 0x2 | Select-Object Name } }
    @{ Name = 'one kilobyte'; Block = { Get-Mailbox -ResultSize 1kb | Measure-Object } }
    @{ Name = 'an array'; Block = { Get-Mailbox -RecipientTypeDetails SharedMailbox, RoomMailbox -ResultSize 2 } }
    @{ Name = '$true, $false and $null'; Block = { Set-Mailbox user00001 -HiddenFromAddressListsEnabled $true -DisplayName $null } }
    @{ Name = 'two statements'; Block = { Get-AcceptedDomain; Get-OrganizationConfig } }
    @{ Name = 'a pipeline and a statement'; Block = { Get-Mailbox -ResultSize 2 | Select-Object Name; Get-User user00001 } }
    @{ Name = '2>&1 in the block'; Block = { Write-AllStreams 2>&1 } }
    @{ Name = '3>&1 in the block'; Block = { Write-AllStreams 3>&1 } }
    @{ Name = '*>&1 in the block'; Block = { Write-AllStreams -Verbose *>&1 } }
    @{ Name = '2>&1 in the middle'; Block = { Get-Mailbox nobody 2>&1 | Select-Object FullyQualifiedErrorId } }
    @{ Name = 'a nested table'; Block = { Select-Object -InputObject $using:deep -Property * } }
    @{ Name = 'an object of a class'; Block = { Select-Object -InputObject $using:live -Property * } }
    @{ Name = 'a script block as a value'; Block = { Select-Object -InputObject $using:code } }
    @{ Name = 'a long argument'; Block = { Get-Mailbox $using:long } }
    @{ Name = 'undefined $using:'; Block = { Get-Mailbox $using:nowhere } }
    @{ Name = 'undefined $using: and SilentlyContinue'; Block = { Get-Mailbox $using:nowhere }; With = @{ ErrorAction = 'SilentlyContinue' } }
    @{ Name = '$using: in a child scope'; Block = { Get-Mailbox $using:inner }; Inner = $true }

    # B.7: what a server without a language refuses
    @{ Name = 'a local variable'; Block = { Get-Mailbox -Identity $user }; Except = 'details'; Because = 'the local reason is added as a second sentence' }
    @{ Name = 'an assignment'; Block = { $x = 1 }; Except = 'details'; Because = 'the local reason is added as a second sentence' }
    @{ Name = 'if'; Block = { if ($true) { Get-Mailbox } }; Except = 'details'; Because = 'the local reason is added as a second sentence' }
    @{ Name = 'a function'; Block = { function f { 1 }; f }; Except = 'details'; Because = 'the local reason is added as a second sentence' }
    @{ Name = 'an expression first'; Block = { 'user00001' | Get-Mailbox }; Except = 'details'; Because = 'the local reason is added as a second sentence' }
    @{ Name = '$input'; Block = { $input | Get-Mailbox }; Except = 'details'; Because = 'the local reason is added as a second sentence' }
    @{ Name = 'Where-Object with a block'; Block = { Get-Mailbox | Where-Object { $_.Name } }; Except = 'details'; Because = 'the local reason is added as a second sentence' }
    @{ Name = '-Anr with a block'; Block = { Get-Mailbox -Anr { Name -eq 'x' } }; Except = 'details'; Because = 'the local reason is added as a second sentence' }
    @{ Name = 'a command as an argument'; Block = { Get-Mailbox (Get-User user00001) }; Except = 'details'; Because = 'the local reason is added as a second sentence' }
    @{ Name = 'dot sourcing'; Block = { . Get-Mailbox }; Except = 'details'; Because = 'the local reason is added as a second sentence' }
    @{ Name = 'a literal'; Block = { 5 }; Except = 'details'; Because = 'the local reason is added as a second sentence' }
    @{ Name = 'throw'; Block = { throw 'x' }; Except = 'details'; Because = 'the local reason is added as a second sentence' }
    @{ Name = 'trap'; Block = { trap { } Get-Mailbox }; Except = 'details'; Because = 'the local reason is added as a second sentence' }
    @{ Name = 'an empty block'; Block = { }; Except = 'details'; Because = 'the local reason is added as a second sentence' }
    @{ Name = 'redirection to a file'; Block = { Get-Mailbox > x }; Except = 'details'; Because = 'the local reason is added as a second sentence' }
    @{ Name = 'begin and end'; Block = { begin { 1 } end { 2 } }; Except = 'details'; Because = 'the local reason is added as a second sentence' }

    # B.6: input
    @{ Name = 'pipeline input'; Block = { Get-MailboxStatistics }; In = 'user00001', 'user00002' }
    @{ Name = 'objects as input'; Block = { Get-MailboxStatistics }; In = [pscustomobject] @{ Identity = 'user00003' }, [pscustomobject] @{ Identity = 'user00004' } }
    @{ Name = 'input that is not found'; Block = { Get-MailboxStatistics }; In = 'user00001', 'nobody', 'user00002' }
    @{ Name = '-InputObject'; Block = { Get-MailboxStatistics }; With = @{ InputObject = 'user00005' } }
    @{ Name = 'input that stops the remote command'; Block = { Get-Mailbox | Select-Object -First 1 -Property Name }; In = 'user00001', 'user00002', 'user00003' }
    @{ Name = 'input to two statements'; Block = { Get-MailboxStatistics; Get-AcceptedDomain }; In = 'user00001' }

    # B.8: streams and errors
    @{ Name = 'all streams'; Block = { Write-AllStreams } }
    @{ Name = 'an error'; Block = { Get-Mailbox nobody } }
    @{ Name = 'an error amid output'; Block = { Get-Mailbox user00001; Get-Mailbox nobody; Get-Mailbox user00002 } }
    @{ Name = '-ErrorAction Stop outside'; Block = { Get-Mailbox nobody }; With = @{ ErrorAction = 'Stop' } }
    @{ Name = '-ErrorAction Stop inside'; Block = { Get-Mailbox nobody -ErrorAction Stop } }
    @{ Name = '-ErrorAction Stop on both sides'; Block = { Get-Mailbox nobody -ErrorAction Stop }; With = @{ ErrorAction = 'Stop' } }
    @{ Name = '-ErrorAction SilentlyContinue outside'; Block = { Write-AllStreams }; With = @{ ErrorAction = 'SilentlyContinue' } }
    @{ Name = '-ErrorAction Ignore inside'; Block = { Get-Mailbox nobody -ErrorAction Ignore } }
    @{ Name = 'ThrowTerminatingError'; Block = { Stop-Everything } }
    @{ Name = 'ThrowTerminatingError and -ErrorAction Stop'; Block = { Stop-Everything }; With = @{ ErrorAction = 'Stop' } }
    @{ Name = 'a remote throw'; Block = { Stop-Everything -Throw }; Except = 'collected'; Because = 'the engine enters the throw of a script function twice in -ErrorVariable' }
    @{ Name = 'a remote throw and SilentlyContinue'; Block = { Stop-Everything -Throw }; With = @{ ErrorAction = 'SilentlyContinue' }; Except = 'collected'; Because = 'the engine enters the throw of a script function twice in -ErrorVariable' }
    @{ Name = 'an unknown command'; Block = { Get-Nothing } }
    @{ Name = 'an unknown parameter'; Block = { Get-Mailbox -Nope 3 } }
    @{ Name = 'a parameter twice'; Block = { Get-Mailbox -Identity a -Identity b } }
    @{ Name = 'a value that does not convert'; Block = { Set-Mailbox user00001 -HiddenFromAddressListsEnabled maybe } }
    @{ Name = 'information at the caller'; Block = { Write-AllStreams }; With = @{ InformationAction = 'Continue' } }
    @{ Name = 'warnings kept silent inside'; Block = { Write-AllStreams -WarningAction SilentlyContinue } }
    @{ Name = 'a short password'; Block = { New-Mailbox short -Password $using:short } }
    @{ Name = 'a password'; Block = { New-Mailbox fresh -Password $using:password } }
    @{ Name = 'a credential as input'; Block = { Select-Object -Property UserName, Password }; In = [pscredential]::new('someone@contoso.com', (ConvertTo-SecureString 'pa$$w0rd' -AsPlainText -Force)) }
    @{ Name = 'a nested secret'; Block = { Select-Object -InputObject $using:hidden -Property * } }
    @{ Name = 'a change'; Block = { Set-Mailbox user00002 -DisplayName 'Søn' -CustomAttribute1 "a`tb"; Get-Mailbox user00002 } }
    @{ Name = 'a splatted change'; Block = { Set-Mailbox @using:change; Get-Mailbox user00004 } }
    @{ Name = 'removal without a question'; Block = { Remove-Mailbox user00025 -Force; Get-Mailbox user00025 } }
    @{ Name = 'on two sessions'; Block = { Get-AcceptedDomain }; Two = $true }
    @{ Name = 'a throw on two sessions'; Block = { Stop-Everything -Throw }; Two = $true }
    @{ Name = 'an error on two sessions'; Block = { Get-Mailbox nobody }; Two = $true }

    # B.6: jobs
    @{ Name = 'a job'; Job = $true; Block = { Get-Mailbox -ResultSize 3 } }
    @{ Name = 'a job with a name'; Job = $true; Block = { Get-AcceptedDomain }; With = @{ JobName = 'Domains' } }
    @{ Name = 'a job with arguments'; Job = $true; Block = { param($n) Get-Mailbox -ResultSize $n | Select-Object Name }; With = @{ ArgumentList = 2 } }
    @{ Name = 'a job with a hidden computer name'; Job = $true; Block = { Get-AcceptedDomain }; With = @{ HideComputerName = $true } }
    @{ Name = 'a job that says nothing'; Job = $true; Block = { Get-Mailbox -Anr zzz } }
    @{ Name = 'a job with every stream'; Job = $true; Block = { Write-AllStreams } }
    @{ Name = 'a job with an error'; Job = $true; Block = { Get-Mailbox nobody; Get-Mailbox user00001 } }
    @{ Name = 'a job that ends with an error'; Job = $true; Block = { Stop-Everything } }
    @{ Name = 'a job that throws'; Job = $true; Block = { Stop-Everything -Throw } }
    @{ Name = 'a job on two sessions'; Job = $true; Two = $true; Block = { Get-AcceptedDomain } }
    @{ Name = 'a job on two sessions, one at a time'; Job = $true; Two = $true; Block = { Get-AcceptedDomain }; With = @{ ThrottleLimit = 1 } }
    @{ Name = 'a job with a script'; Job = $true; Language = $true; Block = { foreach ($i in 1..3) { $i } } }
    @{ Name = 'a job with input'; Run = { param($s) $job = 'user00001', 'user00002' | go $s { Get-MailboxStatistics } -AsJob; ($job | Wait-Job | Receive-Job).ItemCount; $job.State; Remove-Job $job } }
    @{ Name = 'JobName alone'; Run = { param($s) $job = go $s { Get-AcceptedDomain } -JobName Mine; $job.Name; $job.ChildJobs.Count; (Receive-Job $job -Wait -AutoRemoveJob).Name; @(Get-Job -Name Mine -ErrorAction SilentlyContinue).Count } }
    @{ Name = 'a job that is received twice'; Run = { param($s) $job = go $s { Get-AcceptedDomain } -AsJob; $null = Wait-Job $job; @(Receive-Job $job -Keep).Count; @(Receive-Job $job).Count; @(Receive-Job $job).Count; $job.HasMoreData; Remove-Job $job } }
    @{ Name = 'a job that is stopped'; Run = { param($s) $job = go $s { Get-Slowly -Count 600 -Milliseconds 100 } -AsJob; while (-not $job.ChildJobs[0].Output.Count) { Start-Sleep -Milliseconds 20 }; "$($s.Availability)"; Stop-Job $job; $job.State; $job.ChildJobs[0].State; "$($s.Availability)"; @(Receive-Job $job)[0]; Remove-Job $job; (go $s { Get-AcceptedDomain }).Name } }
    @{ Name = 'a job and an undefined $using:'; Run = { param($s) try { go $s { Get-Mailbox $using:nowhere } -AsJob } catch { "$($_.FullyQualifiedErrorId)" } } }

    # B.6: files
    @{ Name = 'a file'; File = 'Get-Mailbox -ResultSize 2 | Select-Object Name' }
    @{ Name = 'a file with a parameter'; File = 'param($n = 1, $who) Get-Mailbox -ResultSize $n'; With = @{ ArgumentList = 2 } }
    @{ Name = 'a file with the default of a parameter'; File = 'param($n = 1) Get-Mailbox -ResultSize $n' }
    @{ Name = 'a file with $using:'; File = 'Get-Mailbox $using:user' }
    @{ Name = 'a file that is a script'; File = "if (`$true) { Get-Mailbox }`n"; Except = 'details'; Because = 'the local reason is added as a second sentence' }
    @{ Name = 'a file that does not parse'; Run = { param($s) [IO.File]::WriteAllText("$folder/bad.ps1", 'Get-Mailbox ('); try { go $s -FilePath "$folder/bad.ps1" } catch { "$($_.FullyQualifiedErrorId) $_ $($_.CategoryInfo)" } } }
    @{ Name = 'what is no script file'; Run = { param($s) foreach ($path in "$folder/none.ps1", "$folder/a.txt", "$folder/*.ps1", '') { try { go $s -FilePath $path } catch { "$($_.FullyQualifiedErrorId) $_ $($_.CategoryInfo) $($_.Exception.GetType().FullName)" } } } }
    @{ Name = 'a file by its position, as a job'; Run = { param($s) [IO.File]::WriteAllText("$folder/job.ps1", 'Get-AcceptedDomain'); $job = go $s "$folder/job.ps1" -AsJob; $job.Command; (Receive-Job $job -Wait -AutoRemoveJob).Name } }

    # B.8: what is shown of errors, and where they are from
    foreach ($view in 'NormalView', 'CategoryView', 'ConciseView') {
        @{ Name = "an error in $view"; Run = [scriptblock]::Create("param(`$s) `$ErrorView = '$view'; go `$s { Get-Mailbox nobody } 2>&1 | Out-String -Width 200; go `$s { Stop-Everything } 2>&1 | Out-String -Width 200; go `$s { Get-Nothing } 2>&1 | Out-String -Width 200; go `$s { Get-Mailbox -Nope 3 } 2>&1 | Out-String -Width 200") }
    }
    @{ Name = 'a throw in NormalView'; Run = { param($s) $ErrorView = 'NormalView'; try { go $s { Stop-Everything -Throw } } catch { $_ | Out-String -Width 200 } } }
    @{ Name = 'a throw in ConciseView'; Run = { param($s) $ErrorView = 'ConciseView'; try { go $s { Stop-Everything -Throw } } catch { $_ | Out-String -Width 200 } } }
    @{ Name = '-ErrorAction Stop in NormalView'; Run = { param($s) $ErrorView = 'NormalView'; try { go $s { Get-Mailbox nobody } -ErrorAction Stop } catch { $_ | Out-String -Width 200 } } }
    @{ Name = 'the origin of an error'; Run = { param($s) $failed = go $s { Get-Mailbox nobody } 2>&1; "$($failed.OriginInfo) $($failed.OriginInfo.PSComputerName) $($failed.OriginInfo.RunspaceID -eq $s.InstanceId) $($failed.OriginInfo.InstanceID)" } }

    # What PowerShell itself does for the caller of a command
    @{ Name = 'the variables of each stream'; Run = { param($s) go $s { Write-AllStreams } -OutVariable o -ErrorVariable e -WarningVariable w -InformationVariable i 2>$null 3>$null 6>$null; "$($o.Count) $($o[0].PSComputerName) $($e.Count) $($e[0].GetType().Name) $($w.Count) $($w[0].GetType().Name) $($i.Count) $($i[0])" } }
    @{ Name = 'variables that are added to'; Run = { param($s) $e = [System.Collections.ArrayList] @('mine'); $o = [System.Collections.ArrayList] @('mine'); go $s { Get-Mailbox nobody; Get-AcceptedDomain } -ErrorVariable +e -OutVariable +o -ErrorAction SilentlyContinue; "$($e.Count) $($o.Count)" } }
    @{ Name = '-PipelineVariable, nested on one session'; Run = { param($s) go $s { Get-Mailbox -ResultSize 3 } -PipelineVariable box -WarningAction SilentlyContinue | ForEach-Object { go $s { Get-MailboxStatistics $using:box.Name } } | ForEach-Object { "$($box.Name) $($_.ItemCount)" } } }
    @{ Name = '$ErrorActionPreference of a function'; Run = { param($s) foreach ($choice in 'Stop', 'SilentlyContinue', 'Ignore', 'Continue') { $count = $Error.Count; & { $ErrorActionPreference = $choice; try { go $s { Get-Mailbox nobody } 2>$null; 'went on' } catch { "$($_.FullyQualifiedErrorId)" } }; "$choice $($Error.Count - $count)" } } }
    @{ Name = '-ErrorAction of a function that calls'; Run = { param($s) function Inner { [CmdletBinding()] param($s) go $s { Get-Mailbox nobody }; 'went on' }; foreach ($choice in 'Stop', 'SilentlyContinue') { try { Inner $s -ErrorAction $choice } catch { "$choice $($_.FullyQualifiedErrorId)" } } } }
    @{ Name = '$ErrorActionPreference of a module'; Run = { param($s) $module = New-Module { param($s) $ErrorActionPreference = 'Stop'; function Inner { try { go $s { Get-Mailbox nobody } } catch { "$($_.FullyQualifiedErrorId)" } } } -ArgumentList $s; & $module { Inner } } }
    @{ Name = '$InformationPreference of a function'; Run = { param($s) foreach ($choice in 'Continue', 'SilentlyContinue', 'Ignore') { & { $InformationPreference = $choice; try { go $s { Write-AllStreams } 2>$null 3>$null 6>&1 } catch { "$($_.FullyQualifiedErrorId)" } } | ForEach-Object { "$choice $_" } } } }
    @{ Name = '$WarningPreference of a function'; Run = { param($s) & { $WarningPreference = 'SilentlyContinue'; go $s { Write-AllStreams } 2>$null 6>$null -WarningVariable w; "$($w.Count)" } } }
    @{ Name = '$VerbosePreference of a function'; Run = { param($s) & { $VerbosePreference = 'Continue'; go $s { Write-AllStreams } 2>$null 3>$null 4>&1 6>$null | ForEach-Object { "$_" } } } }
    @{ Name = 'a limit that is none'; Run = { param($s) foreach ($limit in 0, -5, 1) { (go $s { Get-AcceptedDomain } -ThrottleLimit $limit).Name } } }

    # A server with a language
    @{ Name = 'a script'; Language = $true; Block = { $x = 2; foreach ($i in 1..3) { $i * $x } } }
    @{ Name = 'a script with $using:'; Language = $true; Block = { $u = $using:user; "$u $($using:object.Id) $($using:list[1])" } }
    @{ Name = 'a script with arguments'; Language = $true; Block = { param($a, $b) $c = "$a-$b"; $c }; With = @{ ArgumentList = 'x', 5 } }
    @{ Name = 'a script with input'; Language = $true; Block = { process { "<$_>" } }; In = 1, 'two', $null, 4.5 }
    @{ Name = '$null in the output'; Language = $true; Block = { 1; $null; 2 } }
    @{ Name = 'lists in the output'; Language = $true; Block = { , (1, 2, 3); , [System.Collections.ArrayList] @(4, (5, 6)); @{ a = 1 } } }
    @{ Name = 'notes of the server are replaced'; Language = $true; Block = { [pscustomobject] @{ PSComputerName = 'fake'; A = 1; RunspaceId = 'fake' }; [pscustomobject] @{ PSShowComputerName = 'mine'; B = 2 } } }
    @{ Name = 'notes on a string'; Language = $true; Block = { 'text' | Add-Member -PassThru NoteProperty Extra 5 } }
    @{ Name = 'notes on the input'; Language = $true; Block = { process { $_; $_.PSObject.TypeNames[0]; $_.Extra } }; In = ('text' | Add-Member -PassThru NoteProperty Extra 5), (7 | Add-Member -PassThru NoteProperty Extra six), ([pscustomobject] @{ PSTypeName = 'Own.Type'; Extra = 1 }) }
    @{ Name = 'shared and circular'; Language = $true; Block = { $o = [pscustomobject] @{ A = 1 }; $o | Add-Member Self $o; $p = [pscustomobject] @{ X = $o; Y = $o }; $p } }
    @{ Name = 'rehydrated types'; Language = $true; Block = { [cultureinfo] 'da-DK'; [ipaddress] '192.0.2.1'; [mailaddress] 'a@b.c'; [version] '1.2'; [switch] $true; [System.Globalization.CultureInfo]::InvariantCulture } }
    @{ Name = 'engine objects'; Language = $true; Block = { Get-Command Get-Command; (Get-Item /).PSObject.TypeNames; [DayOfWeek]::Monday } }
    @{ Name = 'a class'; Language = $true; Block = { class Point { [int] $X = 1; [object] $Next; [string] ToString() { return 'P' } }; $p = [Point]::new(); $p.Next = [Point]::new(); $p } }
    @{ Name = 'deep data'; Language = $true; Block = { @{ a = @{ b = @{ c = @{ d = @{ e = 1 } } } } }; , @(1, @(2, @(3, @(4)))) } }
    @{ Name = 'an error record as output'; Language = $true; Block = { try { throw 'inside' } catch { $_ } } }
    @{ Name = 'Write-Error with everything'; Language = $true; Block = { Write-Error -Message m -ErrorId I -Category DeviceError -TargetObject @{ a = 1 } -RecommendedAction 'do this' -CategoryActivity act -CategoryReason why -CategoryTargetName tn -CategoryTargetType tt } }
    @{ Name = 'ErrorDetails'; Language = $true; Block = { $e = [System.Management.Automation.ErrorRecord]::new([System.IO.IOException]::new('io'), 'Id1', 'ReadError', 5); $e.ErrorDetails = [System.Management.Automation.ErrorDetails]::new('detail text'); $PSCmdlet; Write-Error -ErrorRecord $e } }
    @{ Name = 'an inner exception'; Language = $true; Block = { try { [int]::Parse('x') } catch { Write-Error -ErrorRecord $_ } } }
    @{ Name = 'throw of an exception'; Language = $true; Block = { 'first'; throw [System.ArgumentException]::new('bad', 'p') } }
    @{ Name = 'throw of an object'; Language = $true; Block = { throw @{ code = 5 } }; Except = 'collected'; Because = 'the engine enters the throw of a script function twice in -ErrorVariable' }
    @{ Name = 'a runtime error'; Language = $true; Block = { 1 / $null; 'after' } }
    @{ Name = 'a parse error'; Language = $true; Block = [scriptblock]::Create('Invoke-Expression "1 +"; "after"') }
    @{ Name = 'exit'; Language = $true; Block = { 'before'; return 'returned'; 'never' } }
    @{ Name = 'information with an object'; Language = $true; Block = { Write-Information @{ a = 1 } -Tags t1, t2; Write-Host 'hosted' -NoNewline } }
    @{ Name = 'a secret in a table'; Language = $true; Block = { @{ s = (ConvertTo-SecureString abc -AsPlainText -Force); c = [pscredential]::new('u', (ConvertTo-SecureString def -AsPlainText -Force)) } } }
    @{ Name = 'a secret there and back'; Language = $true; Block = { param($s) [pscredential]::new('u', $s).GetNetworkCredential().Password; $s }; With = @{ ArgumentList = (ConvertTo-SecureString 'Sønnich 日本' -AsPlainText -Force) } }
    @{ Name = 'an empty secret'; Language = $true; Block = { param($s) $s.Length; $s.GetType().Name }; With = @{ ArgumentList = [securestring]::new() } }
    @{ Name = 'dates of each kind'; Language = $true; Block = { [datetime]::new(2020, 1, 2, 3, 4, 5, 'Utc'); [datetime]::new(2020, 1, 2, 3, 4, 5, 'Unspecified'); [datetime]::new(2020, 1, 2, 3, 4, 5, 'Local'); [DateTimeOffset]::new(2020, 1, 2, 3, 4, 5, [timespan]::FromHours(2)) } }
    @{ Name = 'odd characters'; Language = $true; Block = { "a$([char] 0)b$([char] 0xFFFF)c$([char] 0xD800)d_x0041_"; "$([char] 0x85)$([char] 0x2028)" } }
    @{ Name = 'many records'; Language = $true; Block = { 1..500 | ForEach-Object { "$_" * 20 } } }
    @{ Name = 'a large record'; Language = $true; Block = { 'x' * 2000000 } }
    @{ Name = 'arguments of every kind'; Language = $true; Block = { param($all) $all.GetType().FullName; $all | ForEach-Object { "$($_.GetType().FullName) $_" } }; With = @{ ArgumentList = , @([byte] 1, [long] 2, 2.5, [decimal] 3, [char] 'c', [guid]::Empty, [uri] 'http://a/b', [datetime] '2020-01-02', [timespan] '01:02:03', [version] '1.2', @{ a = 1 }, @(1, 2), [DayOfWeek]::Friday, $true) } }
)
