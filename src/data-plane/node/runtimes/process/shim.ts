import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { writeState } from './state-file.ts'

// What matters in these lines:
// - the program runs in the foreground: POSIX lets children started with `&` ignore INT and QUIT for ever
// - handlers, not '': an ignored signal stays ignored in the program, a handler does not
// - claim is made with noclobber: whatever two agents do, one container is started once
// - the shim's names begin with _bp_, so that no variable of the container is overwritten
// - claim and pid are one short line each, written by one call and not read before their newline is there: a start forks nothing but
//   the program, and `mount` when there are mounts; only the exit, at the end, is moved into place
const SHIM = `# Keeps what must outlive the agent about one container: claim, pid and exit code.
# sh shim DIR MARKER MV CGROUPS OOM_FILE CWD MOUNT FSTAB PROGRAM...
_bp_dir=$1 _bp_marker=$2 _bp_mv=$3 _bp_cgroups=$4 _bp_oom_file=$5 _bp_cwd=$6 _bp_mount=$7 _bp_fstab=$8
shift 8
trap : HUP INT QUIT USR1 USR2 ALRM TERM PIPE

_bp_fields() { _bp_rest=\${1##*) }; set -- $_bp_rest; _bp_started=\${20}; }

_bp_exit() {
  echo "$1" > "$_bp_dir/exit.tmp"
  "$_bp_mv" "$_bp_dir/exit.tmp" "$_bp_dir/exit"
  : > "$_bp_marker"
  kill -KILL 0
}

read -r _bp_line < /proc/self/stat
_bp_fields "$_bp_line"
read -r _bp_boot < /proc/sys/kernel/random/boot_id
set -C
echo "$$ $_bp_started $_bp_boot" > "$_bp_dir/claim" || exit 0
set +C

if [ -n "$_bp_fstab" ]; then
  "$_bp_mount" -n -a -T "$_bp_fstab" >> "$_bp_dir/log" 2>&1 < /dev/null ||
    _bp_exit "128 0 StartError cannot mount the volumes of the container: its log says why"
fi

(
  for _bp_cgroup in $_bp_cgroups; do
    echo 0 > "$_bp_cgroup/cgroup.procs" || exit 128
  done
  read -r _bp_line < /proc/self/stat
  _bp_fields "$_bp_line"
  echo "\${_bp_line%% *} $_bp_started" > "$_bp_dir/pid"
  : > "$_bp_marker"
  cd "$_bp_cwd" || exit 128
  exec "$@"
) >> "$_bp_dir/log" 2>&1 < /dev/null
_bp_code=$?

_bp_oom=0
if [ -n "$_bp_oom_file" ]; then
  while read -r _bp_key _bp_value; do
    if [ "$_bp_key" = oom_kill ]; then _bp_oom=$_bp_value; fi
  done < "$_bp_oom_file"
fi
_bp_exit "$_bp_code $_bp_oom"
`

/**
 * Puts the shim below `root`. A shell reads its script while it runs, so a file once written never changes: each version has its own.
 * @returns its path
 */
export function installShim(root: string): string {
  const hash = createHash('sha256').update(SHIM).digest('hex').slice(0, 12)
  const path = join(root, `shim-${hash}.sh`)
  if (!existsSync(path)) writeState(path, SHIM, 0o644)
  return path
}
