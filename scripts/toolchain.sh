# What the scripts share, to be sourced: Debian packages, a Rust standard library for targets that rustup's stable channel is not asked
# for here, and a wine to run Windows code with. What is made is kept between runs outside the checkout, by the compiler's version.

cd "$(dirname "${BASH_SOURCE[0]}")/.."
checkout=$PWD
rust=$(rustc --version | cut -d' ' -f2)
cache=${DT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/delegated-tenant}
kept=$cache/rust-$(rustc --version --verbose | awk '/^release|^commit-hash/ {printf "%s%s", sep, substr($2, 1, 10); sep="-"}')
version=$(sed -n 's/^version = "\(.*\)"/\1/p;T;q' Cargo.toml)
mkdir -p "$kept"

say() { printf '%s\n' "$*" >&2; }
refuse() {
    say "$0: $*"
    exit 1
}

# Installs the packages that are not there yet.
debian() {
    local missing=() package as_root=()
    for package in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    [ "$(id -u)" = 0 ] || as_root=(sudo -n)
    "${as_root[@]}" apt-get update -qq >&2
    DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
}

# The standard library's source of this very compiler, in $kept/library. Debian packages it; another version's does not compile.
standard_source() {
    [ -e "$kept/library/Cargo.lock" ] && return 0
    local work=$kept/source mirror suite found key=/usr/share/keyrings/debian-archive-keyring.gpg
    mirror=$(awk '/^URIs:.*debian\/?$/ {print $2; exit}' /etc/apt/sources.list.d/*.sources 2>/dev/null || true)
    rm -rf "$work"
    mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/parts"
    # An apt of its own, so that the machine's sources stay as they are.
    cat >"$work/conf" <<X
Dir::Etc::sourcelist "$work/sources.list";
Dir::Etc::sourceparts "$work/parts";
Dir::State::lists "$work/lists";
Dir::Cache "$work/cache";
APT::Sandbox::User "root";
X
    for suite in trixie-backports forky sid; do
        echo "deb [signed-by=$key] ${mirror:-http://deb.debian.org/debian} $suite main" >"$work/sources.list"
        APT_CONFIG=$work/conf apt-get update -qq >&2 || continue
        found=$(APT_CONFIG=$work/conf apt-cache madison rust-src | awk -F'|' -v v="$rust" '{gsub(/ /,"",$2)} index($2,v "+")==1 {print $2; exit}')
        [ -n "$found" ] && break
    done
    [ -n "$found" ] || refuse "no standard library of Rust $rust for this target: rustup has none to give, and Debian's rust-src is another version"
    (cd "$work" && APT_CONFIG=$work/conf apt-get download -qq "rust-src=$found" >&2)
    mkdir -p "$work/unpacked"
    dpkg-deb --fsys-tarfile "$work"/rust-src_*.deb | tar -x -C "$work/unpacked" --strip-components=4 "./usr/src/rustc-$rust/library"
    mv "$work/unpacked/library" "$kept/library"
    rm -rf "$work"
}

# Whether rustup has the target's standard library already: then nothing is to be made.
has_standard() { [ -n "$(find "$(rustc --print target-libdir --target "$1" 2>/dev/null)" -name 'libstd-*' 2>/dev/null)" ]; }

# A standard library for a target: rustup's own where it can be had, else built once from Debian's source of it into a private sysroot,
# so that the project's own build needs no unstable switch. DT_STANDARD=source takes the second way.
standard_for() {
    local target=$1 sysroot=$kept/sysroot
    [ "${DT_STANDARD:-}" != source ] && { has_standard "$target" || timeout 120 rustup target add "$target" >&2; } && return 0
    [ -e "$sysroot/lib/rustlib/$target/complete" ] && return 0
    standard_source
    say "building the standard library for $target"
    local work=$kept/std-$target
    mkdir -p "$work/src"
    : >"$work/src/lib.rs"
    printf '[package]\nname = "mkstd"\nversion = "0.0.0"\nedition = "2024"\n[workspace]\n' >"$work/Cargo.toml"
    (
        cd "$work"
        unset RUSTFLAGS CARGO_TARGET_DIR CARGO_BUILD_TARGET_DIR
        # The paths within it are what rustup's own has.
        export RUSTFLAGS="--remap-path-prefix=$kept/library=/rustc/library --remap-path-prefix=$cargo_home=/cargo"
        RUSTC_BOOTSTRAP=1 __CARGO_TESTS_ONLY_SRC_ROOT=$kept/library \
            cargo build --quiet --release --target "$target" -Zbuild-std=std,panic_unwind,panic_abort,test,proc_macro >&2
    )
    mkdir -p "$sysroot/lib/rustlib/$target/lib"
    cp "$work/target/$target/release/deps/"*.rlib "$sysroot/lib/rustlib/$target/lib"
    rm -f "$sysroot/lib/rustlib/$target/lib/"libmkstd*
    touch "$sysroot/lib/rustlib/$target/complete"
    rm -rf "$work"
}

cargo_home=${CARGO_HOME:-$HOME/.cargo}

# Exports what cargo needs to build for a target with further flags for the compiler. No path of this machine is left in what is built.
target_for() {
    local target=$1 name sysroot=
    shift
    standard_for "$target"
    name=${target//-/_}
    has_standard "$target" && [ "${DT_STANDARD:-}" != source ] || sysroot="--sysroot=$kept/sysroot "
    export "CARGO_TARGET_${name^^}_RUSTFLAGS=$sysroot--remap-path-prefix=$cargo_home=/cargo $*"
    export "CFLAGS_$name=-ffile-prefix-map=$cargo_home=/cargo"
    [ -z "$sysroot" ] || export "CARGO_TARGET_${name^^}_RUSTDOCFLAGS=$sysroot"
    # What comes from the registry is built once, not in each clone.
    export CARGO_TARGET_DIR=$kept/target
}

# A wine prefix, and a runner at $kept/wine/run. wine 8 lacks a system DLL that Rust's standard library imports; the shim for it is
# for tests only and is never shipped.
wine_ready() {
    debian wine64 gcc-mingw-w64-x86-64-win32
    local prefix=$kept/wine/prefix
    [ -e "$kept/wine/complete" ] && return 0
    say "making a wine prefix"
    rm -rf "$kept/wine"
    mkdir -p "$kept/wine"
    export WINEPREFIX=$prefix WINEDEBUG=-all DISPLAY=
    /usr/lib/wine/wine64 wineboot -i >&2
    /usr/lib/wine/wineserver64 -w
    cat >"$kept/wine/bcryptprimitives.c" <<'X'
#include <windows.h>
BOOLEAN NTAPI SystemFunction036(PVOID, ULONG);
__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE p, SIZE_T n)
{
    while (n) {
        ULONG k = n > 0x10000000 ? 0x10000000 : (ULONG)n;
        if (!SystemFunction036(p, k))
            return FALSE;
        p += k;
        n -= k;
    }
    return TRUE;
}
X
    [ -e "$prefix/drive_c/windows/system32/bcryptprimitives.dll" ] ||
        x86_64-w64-mingw32-gcc -shared -O2 -s -o "$prefix/drive_c/windows/system32/bcryptprimitives.dll" "$kept/wine/bcryptprimitives.c" -ladvapi32
    # .NET's runtime crashes in wine when it collects compiled script blocks, unless it may write where it executes.
    cat >"$kept/wine/run" <<X
#!/bin/sh
export WINEPREFIX='$prefix' WINEDEBUG=\${WINEDEBUG:--all} DISPLAY= DOTNET_EnableWriteXorExecute=0
exec /usr/lib/wine/wine64 "\$@"
X
    chmod +x "$kept/wine/run"
    touch "$kept/wine/complete"
}

# A C compiler and linker that has every glibc's and macOS's system library to link with, and cargo's way to it; at $kept/zig/bin.
zig_ready() {
    local pins="cargo-zigbuild==0.24.1 ziglang==0.17.1"
    if [ "$(cat "$kept/zig/pins" 2>/dev/null)" != "$pins" ]; then
        python3 -c 'import ensurepip, venv' 2>/dev/null || debian python3 python3-venv
        rm -rf "$kept/zig"
        python3 -m venv "$kept/zig"
        "$kept/zig/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: $pins >&2
        echo "$pins" >"$kept/zig/pins"
    fi
    export PATH=$kept/zig/bin:$PATH
}

# The linker that comes with the compiler, in the manner of the one that follows.
lld() {
    local host
    host=$(rustc --print host-tuple)
    "$(rustc --print sysroot)/lib/rustlib/$host/bin/rust-lld" -flavor "$@"
}

# Refuses a library whose exports, given by name, are not what the header declares.
exports_as_declared() {
    local exported declared
    exported=$(sort <<<"$2")
    declared=$(grep -oE '\bdt_[a-z0-9_]+\(' include/delegated_tenant.h | tr -d '(' | sort -u)
    [ -n "$declared" ] && [ "$declared" = "$exported" ] || refuse "$1 does not export what the header declares:
$(diff <(echo "$declared") <(echo "$exported"))"
}

# Refuses a file that holds paths of this machine.
no_local_paths() {
    local found
    found=$(grep -aoE "($HOME/|$cargo_home/|$checkout/|$kept/|/home/)[[:print:]]{0,60}" "$1" | head -5 || true)
    [ -z "$found" ] || refuse "paths of this machine are in $1:
$found"
}
