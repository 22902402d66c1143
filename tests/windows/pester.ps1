# Runs one Pester file (DT_TEST_FILE) without the tests at the lines in DT_TEST_EXCLUDE, and writes each result on a line of its own.
$configuration = New-PesterConfiguration
$configuration.Run.Path = $env:DT_TEST_FILE
$configuration.Run.PassThru = $true
$configuration.Output.Verbosity = 'Detailed'
if ($env:DT_TEST_EXCLUDE) { $configuration.Filter.ExcludeLine = $env:DT_TEST_EXCLUDE.Split('|') }
$result = Invoke-Pester -Configuration $configuration
foreach ($test in $result.Tests) { [Console]::Out.WriteLine("$($test.Result)`t$($test.ExpandedPath)") }
if ($result.FailedContainersCount -or $result.FailedBlocksCount) { [Console]::Out.WriteLine("Failed`ta block or file could not be set up") }
[Console]::Out.WriteLine('ended')
