/** Where the guardian finds its commands, whatever the PATH of NEXUS is. */
export const guardianPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/**
 * The guardian is a small shell process between NEXUS and a program. It outlives NEXUS by the moment that is needed to end
 * the program and to clean up, so that a `kill -9` of NEXUS leaves nothing behind.
 *
 *   set up the scratch folder → start the program → wait for it → report → wait for NEXUS to let go → clean up
 *
 * File descriptors: 0–2 the program's; 3 a socket to NEXUS, whose end of file means "end it" (or that NEXUS has died) and
 * on which the report goes back; 4 where the scratch folder goes as a tar stream, if files are to be brought back.
 * Report lines: `ready`, `setup <why it failed>`, `exit <status of a shell>`.
 *
 * Its variables: GUARD_SCRATCH, GUARD_TMPFS (mount options, or empty for a plain folder), GUARD_RUN (the run's folder),
 * GUARD_GROUPS (cgroup.procs files), GUARD_FILTER (seccomp program), GUARD_OUTPUTS (not empty: send the tar stream),
 * GUARD_SWEEP (not empty: a program without a process namespace; find what it left by its NEXUS_RUN variable).
 * GUARD_OWN_GROUP (not empty: put the program into a process group here, where there is no setsid to do it).
 * Its arguments are the command line of the tier.
 */
export const guardianScript = String.raw`
set -u
umask 022
if [ -n "$GUARD_TMPFS" ]; then
  said=$(mount -t tmpfs -o "$GUARD_TMPFS" nexus-scratch "$GUARD_SCRATCH" 2>&1) || {
    echo "setup scratch folder: $said" | tr '\n' ' ' >&3; echo >&3; exit 125
  }
fi

# The pid in a name such as /proc/12/status; kills each that is given.
kill_all() {
  for file in "$@"; do file=\${file#/proc/}; kill -KILL "\${file%%/*}" 2>/dev/null; done
}
end_run() {
  if [ -n "$GUARD_SWEEP" ]; then
    kill -KILL -"$1" 2>/dev/null
    return
  fi
  # The first process inside goes, not the one outside that waits for it: that one then sees when all inside have gone.
  first=$(grep -ls "^PPid:[[:space:]]*$1\$" /proc/[0-9]*/status)
  kill_all \${first:-/proc/$1/status}
}
sweep() {
  rounds=20
  while [ $rounds -gt 0 ]; do
    left=$(grep -lsz "^NEXUS_RUN=$GUARD_SWEEP\$" /proc/[0-9]*/environ)
    for file in $GUARD_GROUPS; do
      for pid in $(cat "$file"); do left="$left /proc/$pid/"; done
    done
    [ -n "$left" ] || return 0
    kill_all $left
    rounds=$((rounds - 1))
  done
}

[ -n "$GUARD_OWN_GROUP" ] && set -m
exec 5<&0 </dev/null
(
  exec 0<&5 5<&- 4>&-
  for file in $GUARD_GROUPS; do echo 0 > "$file" || exit 125; done
  [ -w /proc/self/oom_score_adj ] && echo 1000 > /proc/self/oom_score_adj
  [ -n "$GUARD_FILTER" ] && exec 6< "$GUARD_FILTER"
  exec "$@"
) 2>&2 &
run=$!
# From here on nobody may be listening any more; that must not end the cleaning up. What the shell itself has to say about
# the program's end is not the program's output.
trap '' PIPE
exec 0<&- 1>/dev/null 2>/dev/null 5<&-
( exec 4>&-; read -r _ <&3; end_run "$run" ) &
lifeline=$!
wait "$run"
status=$?
kill -KILL "$lifeline" 2>/dev/null
[ -n "$GUARD_SWEEP" ] && { kill -KILL -"$run" 2>/dev/null; sweep; }
[ -n "$GUARD_OUTPUTS" ] && tar -C "$GUARD_SCRATCH" -cf - . >&4 2>/dev/null
exec 4>&-
echo "exit $status" >&3
read -r _ <&3
[ -n "$GUARD_TMPFS" ] && umount -l "$GUARD_SCRATCH"
for file in $GUARD_GROUPS; do
  rounds=100
  until rmdir "\${file%/*}" 2>/dev/null || [ $rounds = 0 ]; do sleep 0.02; rounds=$((rounds - 1)); done
done
rm -rf "$GUARD_RUN"
`.replaceAll('\\$', '$')

/**
 * The first process inside a process namespace: tells that the room stands, gives up the guardian's descriptors, runs the
 * program and ends with its status. When it ends, the kernel ends everything else inside.
 */
export const firstProcessScript = 'echo ready >&3; exec 3>&- 6<&- 7>&2 2>/dev/null; "$@" 2>&7 7>&-; exit $?'

/**
 * Builds a root folder for the unshare tier and goes into it; then it is the first process. Its arguments: the empty
 * folder to build on, the working directory, the list of what to place (`folder host inside`, `writable host inside`,
 * `file host inside`, `link target inside`), `--`, the program.
 */
export const buildRoomScript = String.raw`
set -u
umask 022
fail() { echo "setup $*" | tr '\n' ' ' >&3; echo >&3; exit 125; }
try() { said=$("$@" 2>&1) || fail "$*: $said"; }
root=$1 directory=$2
shift 2
try mount -t tmpfs -o mode=0755,size=1m,nosuid,nodev nexus-root "$root"
while [ "$1" != -- ]; do
  place="$root$3"
  case $1 in
    link) try mkdir -p "\${place%/*}"; try ln -s "$2" "$place" ;;
    folder) [ -d "$place" ] || try mkdir -p "$place"; try mount -o bind,ro,nosuid,nodev "$2" "$place" ;;
    writable) try mkdir -p "$place"; try mount -o bind,nosuid,nodev,noexec "$2" "$place" ;;
    file) [ -d "\${place%/*}" ] || try mkdir -p "\${place%/*}"; : > "$place"
      try mount -o bind,ro,nosuid "$2" "$place" ;;
    device) [ -d "\${place%/*}" ] || try mkdir -p "\${place%/*}"; : > "$place"
      try mount --bind "$2" "$place" ;;
  esac
  shift 3
done
shift
try mkdir "$root/proc"
try mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
# Memory that belongs to no process would escape a limit that is held by looking at processes.
for name in shmall msgmni; do echo 0 > "$root/proc/sys/kernel/$name"; done 2>/dev/null
for place in sys sysrq-trigger irq bus; do
  [ -e "$root/proc/$place" ] && try mount -o bind,ro,nosuid,nodev,noexec "$root/proc/$place" "$root/proc/$place"
done
try mount -o remount,bind,ro,nosuid,nodev "$root"
(ip link set lo up || ifconfig lo up) >/dev/null 2>&1
cd "$root" || fail "cannot enter $root"
try pivot_root . .
try umount -l .
cd "$directory" 2>/dev/null || fail "the working directory $directory does not exist inside"
echo ready >&3
exec 3>&- 7>&2 2>/dev/null
"$@" 2>&7 7>&-
exit $?
`.replaceAll('\\$', '$')
