#!/usr/bin/env bash
# The root directory of an image: `root.sh ROOT PROGRAM [PROGRAM|LIBRARY|FILE|DIRECTORY]…`.
#
# Programs go to /usr/local/bin, everything else where it is here; with each comes what it is linked to, the loader too, and for
# scanners and licences what Debian's packages say of themselves.
set -euo pipefail

user=65532
root=$1
taken=() # files of packages
shift

# All the shared libraries that a program or library loads at its start, by the paths under which the loader finds them.
libraries_of() {
    ldd "$1" 2>/dev/null | awk '$2 == "=>" && $3 ~ /^\// { print $3 } $1 ~ /^\// { print $1 }'
}

# Says which packages something of is in the image, where scanners look for it, and under what licences. A package may know its files by
# their names from before /lib became /usr/lib.
note_packages() {
    local package
    for package in $(dpkg-query -S "${taken[@]}" "${taken[@]#/usr}" "${taken[@]/#/\/usr}" 2>/dev/null | sed -n 's/^\([a-z0-9.+-]*\):.*/\1/p' | sort -u); do
        install -d "$root/var/lib/dpkg/status.d" "$root/usr/share/doc/$package"
        dpkg-query -s "$package" >"$root/var/lib/dpkg/status.d/$package"
        cp -L "/usr/share/doc/$package/copyright" "$root/usr/share/doc/$package/"
    done
}

# put_file PATH: to the same path, whatever links it goes through; /lib and /lib64 are links into /usr, as in Debian.
put_file() {
    local directory
    directory=$(realpath "$(dirname "$1")")
    [ ! -e "$root$directory/$(basename "$1")" ] || return 0
    install -d "$root$directory"
    cp -L --preserve=mode "$1" "$root$directory/"
    taken+=("$1")
}

put_with_libraries() {
    local library
    for library in $(libraries_of "$1"); do
        put_file "$library"
    done
}

put() {
    case "$1" in
    build/*) install -D -t "$root/usr/local/bin" "$1" ;;
    *) if [ -d "$1" ]; then install -d "$root$1" && cp -a "$1/." "$root$1/"; else put_file "$1"; fi ;;
    esac
    [ -d "$1" ] || put_with_libraries "$1"
}

# Who it runs as, and how names of hosts are found.
put_system_files() {
    install -d "$root/etc" "$root/usr/lib" "$root/usr/lib64"
    ln -s usr/lib "$root/lib"
    ln -s usr/lib64 "$root/lib64"
    printf 'root:x:0:0:root:/:/none\nkeyward:x:%d:%d:Keyward:/var/lib/keyward:/none\n' "$user" "$user" >"$root/etc/passwd"
    printf 'root:x:0:\nkeyward:x:%d:\n' "$user" >"$root/etc/group"
    printf 'hosts: files dns\n' >"$root/etc/nsswitch.conf"
    put_file /etc/os-release
}

# What it may write to: a new volume mounted there is owned as this is.
put_state() {
    install -d -m 0700 -o "$user" -g "$user" "$root/var/lib/keyward"
    install -d -m 1777 -o "$user" -g "$user" "$root/tmp"
}

put_system_files
put_state
for item in "$@"; do
    put "$item"
done
note_packages
du -sh "$root"
