# Records the samples of this folder: what PowerShell's own serializer writes. Run it with pwsh 7 from anywhere;
# it writes beside itself. Only values that come out the same every time are recorded.

function Save([string] $Name, $Value, [int] $Depth = 4) {
    $text = [System.Management.Automation.PSSerializer]::Serialize($Value, $Depth)
    [System.IO.File]::WriteAllText("$PSScriptRoot/$Name.xml", $text.Replace("`r`n", "`n") + "`n")
}

enum Kind { UserMailbox = 1; SharedMailbox = 4 }

Save nothing $null
Save strings @(
    '', ' ', "a`nb`r`tc", '_x000a_ _X _y __x x_', '<&>"''', '日本 é', "`u{1F600}", "`u{7f}`u{80}`u{85}`u{9f}`u{a0}", "$([char]0)$([char]1)",
    ([char]0xD800 + 'x' + [char]0xDC00), ([string][char]0xDC00 + [char]0xD800), ']]>', '  blanks  ')
Save whole-numbers @(
    [byte]255, [sbyte]-128, [int16]-32768, [uint16]65535, [int]::MinValue, [uint32]::MaxValue, [long]::MinValue, [uint64]::MaxValue)
Save floats @(
    1.5, [double]::MaxValue, [double]::Epsilon, [double]::NaN, [double]::PositiveInfinity, [double]::NegativeInfinity, -0.0, 1e15, 1e16, 1e17,
    1e21, 0.0001, 0.00001, 123456789012345.6, 9007199254740993.0, 0.1, [single]0.1, [single]::MaxValue, [single]1e8, [single]1e9, [single]::NaN,
    [single]1e-5, 1.10d, [decimal]::MaxValue, [decimal]::MinValue, 0.0000000000000000000000000001d)
Save times @(
    [datetime]::new(2020, 1, 1), [datetime]::new(2024, 2, 29, 23, 59, 59, 123, [DateTimeKind]::Utc), [datetime]::MinValue, [datetime]::MaxValue,
    [datetime]::new(638000000000000001, [DateTimeKind]::Local), [timespan]::Zero, [timespan]::FromTicks(1), [timespan]::MinValue, [timespan]::MaxValue,
    [timespan]::new(1, 2, 3, 4, 5))
Save others @(
    $true, $false, [char]'a', [char]0xD800, [guid]'12345678-1234-1234-1234-123456789abc', [version]'1.2', [version]'1.2.3.4',
    [uri]'https://a.example/b c?d=e&f=_x0041_', [uri]'', [byte[]](0..255), [byte[]]@(), [xml]'<a b="c">d<e /></a>', [xml]::new(), { Get-Mailbox | Select-Object Name },
    [semver]'1.2.3-rc.1+b', $null)
$progress = [System.Management.Automation.ProgressRecord]::new(7, "Get`nting", 'a <b>')
$current = [System.Management.Automation.ProgressRecord]::new(1, 'a', 'b'); $current.CurrentOperation = "c`t"; $current.PercentComplete = 50
Save progress @($progress, $current)
Save enums @([DayOfWeek]::Monday, [DayOfWeek]::Friday, [Kind]::SharedMailbox, [System.IO.FileAttributes]'Hidden, System')
Save lists @(
    , @(1, 'two', $null, @(3, @())), [System.Collections.Generic.List[string]]@('a', 'b'), [System.Collections.ArrayList]@(), [int[]](1, 2),
    [System.Collections.Stack]::new(@(1, 2)), [System.Collections.Queue]::new(@(1, 2)), [System.Collections.Generic.HashSet[int]]::new([int[]]@(5)))
Save dictionaries @(@{}, [ordered]@{ one = 1; two = [ordered]@{ deep = 'x' }; 3 = $null; ([DayOfWeek]1) = @(1) })

$shared = [pscustomobject][ordered]@{ n = 1; kind = [Kind]::UserMailbox }
Save references @($shared, $shared, [pscustomobject]@{ n = 2 }, [ordered]@{ a = $shared; $shared = $shared })
$circle = [System.Collections.ArrayList]::new(); [void]$circle.Add($circle)
Save cycle $circle
$notes = [pscustomobject][ordered]@{ "a`nb_x000a_`u{1F600}<>`"&'" = 1; ('' + [char]0xD800) = 2; 'x_y' = '' }
$notes.psobject.TypeNames.Insert(0, "Some_x0041_.Type`n``1[[<a>]]")
Save names $notes
$five = [psobject]5 | Add-Member -PassThru -NotePropertyName note -NotePropertyValue 'text'
$five.psobject.TypeNames.Insert(0, 'Quantity')
$set = [pscustomobject]@{ a = 1 }
$set.psobject.Members.Add([System.Management.Automation.PSMemberSet]::new('Set', [System.Management.Automation.PSMemberInfo[]]@([System.Management.Automation.PSNoteProperty]::new('in', 'side'))))
$untyped = [pscustomobject]@{ a = 1 }; $untyped.psobject.TypeNames.Clear()
$list = [System.Collections.ArrayList]@(1); $list = , $list | Add-Member -PassThru -NotePropertyName note -NotePropertyValue 2
Save members @($five, $set, $untyped, [psobject]::new(), $list)
Save class ([System.Text.StringBuilder]::new('text'))
$again = [System.Management.Automation.PSSerializer]::Deserialize([System.Management.Automation.PSSerializer]::Serialize(@(
    [System.Text.StringBuilder]::new(''), [System.Collections.Generic.HashSet[int]]::new([int[]]@(5)), [DayOfWeek]1)))
Save again $again
$record = [System.Management.Automation.ErrorRecord]::new(
    [System.InvalidOperationException]::new('it failed', [System.ArgumentException]::new('inner')), 'ItFailed', 'InvalidOperation', 'target')
$record.ErrorDetails = [System.Management.Automation.ErrorDetails]::new('details')
Save error $record 2

# Of every type at once, from the module that the shared endpoint serves: DT_TENANT_MODULE names it.
if ($env:DT_TENANT_MODULE) {
    Import-Module $env:DT_TENANT_MODULE
    Save everything (Get-Everything) 2
}
