# authority.ps1 FOLDER: an authority (authority.cer) and a certificate of it for localhost (server.pem, server.key), for two days.
param([string] $Folder)
$hash = [Security.Cryptography.HashAlgorithmName]::SHA256
$padding = [Security.Cryptography.RSASignaturePadding]::Pkcs1
$now = [DateTimeOffset]::UtcNow
$key = [Security.Cryptography.RSA]::Create(2048)
$request = [Security.Cryptography.X509Certificates.CertificateRequest]::new("CN=DelegatedTenant test authority $([guid]::NewGuid())", $key, $hash, $padding)
$request.CertificateExtensions.Add([Security.Cryptography.X509Certificates.X509BasicConstraintsExtension]::new($true, $false, 0, $true))
$authority = $request.CreateSelfSigned($now.AddDays(-1), $now.AddDays(2))
$serverKey = [Security.Cryptography.RSA]::Create(2048)
$request = [Security.Cryptography.X509Certificates.CertificateRequest]::new('CN=localhost', $serverKey, $hash, $padding)
$names = [Security.Cryptography.X509Certificates.SubjectAlternativeNameBuilder]::new()
$names.AddDnsName('localhost')
$names.AddIpAddress([Net.IPAddress]::Loopback)
$request.CertificateExtensions.Add($names.Build())
$server = $request.Create($authority, $now.AddDays(-1), $now.AddDays(1), [byte[]] (1, 2, 3, 4))
[IO.File]::WriteAllBytes([IO.Path]::Combine($Folder, 'authority.cer'), $authority.RawData)
[IO.File]::WriteAllText([IO.Path]::Combine($Folder, 'server.pem'), $server.ExportCertificatePem())
[IO.File]::WriteAllText([IO.Path]::Combine($Folder, 'server.key'), $serverKey.ExportPkcs8PrivateKeyPem())
# What its starter waits for: an address.
'http://made/'
