# Certificates of the system's stores, and assertions signed by their keys, which stay where they are: not to be exported, or in a TPM.

# The certificate with this thumbprint, good to sign with. The user's own store goes before the computer's.
function script:Get-StoreCertificate([string] $Thumbprint) {
    # Pasted out of a dialog, it may hold blanks and a mark that nobody sees.
    $wanted = ($Thumbprint -replace '[\s:\u200e\u200f\ufeff]').ToUpperInvariant()
    if ($wanted -notmatch '^[0-9A-F]{40}$') { throw (New-CertificateError 'The thumbprint of a certificate is 40 hexadecimal digits.' $Thumbprint) }
    $flaw = $null
    foreach ($place in 'CurrentUser', 'LocalMachine') {
        $store = [Security.Cryptography.X509Certificates.X509Store]::new('My', [Security.Cryptography.X509Certificates.StoreLocation] $place)
        try { $store.Open('ReadOnly') } catch { continue } # Linux has no such store of the computer
        try { $found = $store.Certificates.Find('FindByThumbprint', $wanted, $false) } finally { $store.Close() }
        foreach ($certificate in $found) {
            $why = Get-CertificateFlaw $certificate
            if (-not $why) { return $certificate }
            if (-not $flaw) { $flaw = "The certificate $wanted ($($certificate.Subject)) in $place\My $why" }
        }
    }
    if ($flaw) { throw (New-CertificateError $flaw $wanted) }
    throw [System.Management.Automation.ErrorRecord]::new([System.Management.Automation.ItemNotFoundException]::new("No certificate with the thumbprint $wanted is in CurrentUser\My or LocalMachine\My."), 'CertificateNotFound', 'ObjectNotFound', $wanted)
}

function script:New-CertificateError([string] $Message, $Target) {
    [System.Management.Automation.ErrorRecord]::new([Security.Cryptography.CryptographicException]::new($Message), 'CertificateNotUsable', 'InvalidArgument', $Target)
}

# Why a certificate is of no use; nothing where it is.
function script:Get-CertificateFlaw($Certificate) {
    if ($Certificate.NotAfter -le [datetime]::Now) { return "has expired on $($Certificate.NotAfter.ToString('yyyy-MM-dd')): use a new one, and register it with the application." }
    if ($Certificate.NotBefore -gt [datetime]::Now) { return "is not valid before $($Certificate.NotBefore.ToString('yyyy-MM-dd HH:mm'))." }
    if ($Certificate.PublicKey.Oid.Value -ne '1.2.840.113549.1.1.1') { return 'has a key that is not RSA, which Microsoft asks for.' }
    if (-not $Certificate.HasPrivateKey) { return 'has no private key here: import it together with its key, as from a .pfx.' }
    try { $key = [Security.Cryptography.X509Certificates.RSACertificateExtensions]::GetRSAPrivateKey($Certificate) }
    catch { return "has a private key that this account cannot use: $($_.Exception.InnerException.Message)" }
    $key.Dispose()
}

# An assertion (RFC 7523) that the client is who its certificate says, for this token endpoint; as UTF-8.
function script:New-ClientAssertion($Certificate, [string] $Audience, [string] $ClientId) {
    $encode = { [Convert]::ToBase64String($args[0]).TrimEnd('=').Replace('+', '-').Replace('/', '_') }
    $quote = { '"' + $args[0].Replace('\', '\\').Replace('"', '\"') + '"' }
    $utf8 = [Text.Encoding]::UTF8
    $key = $sha = $null
    try {
        $sha = [Security.Cryptography.SHA256]::Create()
        $key = [Security.Cryptography.X509Certificates.RSACertificateExtensions]::GetRSAPrivateKey($Certificate)
        # The older providers of Windows do not know PSS, and Microsoft takes the older signature too.
        $old = $key -is [Security.Cryptography.RSACryptoServiceProvider]
        $padding = if ($old) { [Security.Cryptography.RSASignaturePadding]::Pkcs1 } else { [Security.Cryptography.RSASignaturePadding]::Pss }
        $header = '{"alg":"PS256","typ":"JWT","x5t#S256":"' + (& $encode $sha.ComputeHash($Certificate.RawData)) + '"}'
        if ($old) { $header = '{"alg":"RS256","typ":"JWT","x5t":"' + (& $encode $Certificate.GetCertHash()) + '"}' }
        $now = [DateTimeOffset]::UtcNow.ToUnixTimeSeconds()
        $id = & $quote $ClientId
        $claims = '{"aud":' + (& $quote $Audience) + ',"iss":' + $id + ',"sub":' + $id + ',"jti":"' + [guid]::NewGuid() + '","iat":' + $now + ',"nbf":' + $now + ',"exp":' + ($now + 600) + '}'
        $signed = (& $encode $utf8.GetBytes($header)) + '.' + (& $encode $utf8.GetBytes($claims))
        , $utf8.GetBytes($signed + '.' + (& $encode $key.SignData($utf8.GetBytes($signed), [Security.Cryptography.HashAlgorithmName]::SHA256, $padding)))
    }
    catch {
        $reason = if ($_.Exception.InnerException) { $_.Exception.InnerException } else { $_.Exception }
        throw (New-CertificateError "The private key of the certificate $($Certificate.Thumbprint) ($($Certificate.Subject)) does not sign: $($reason.Message)" $Certificate.Thumbprint)
    }
    finally { if ($key) { $key.Dispose() }; if ($sha) { $sha.Dispose() } }
}
