/**
 * Keys of others in a guest's `authorized_keys`. Each has a mark in place of its comment, by which it is
 * found again; lines without one are never touched.
 */

/**
 * For any POSIX shell, busybox included. Reads the mark and then the key that there is to be for it; no key
 * means that there is to be none. A key that stands there without a mark needs no line of its own. Changes
 * nothing that is right already, and never leaves half a file: that could lock its owner out.
 */
export const SET_KEY = `sh -c 'umask 077
mkdir -p "$HOME/.ssh" || exit 1
file=$HOME/.ssh/authorized_keys
if [ -L "$file" ]; then file=$(readlink -f "$file"); fi
touch "$file" && [ -r "$file" ] || exit 1
IFS= read -r mark
IFS= read -r key
lines=$(grep -v -- " $mark\\$" "$file")
own=$(printf "%s\\n" "$lines" | grep -v -- " golem-share:")
if [ -n "$key" ] && ! printf "%s\\n" "$own" | grep -qF -- "$key"; then
  lines=$(printf "%s\\n%s" "$lines" "$key $mark")
fi
[ "$lines" = "$(cat "$file")" ] && exit 0
printf "%s\\n" "$lines" > "$file.new" && mv "$file.new" "$file"'`;

/** @param requestor whose key it is, `gr_...` */
export function keyFor(requestor: string, publicKey: string): string {
  // Type and key, without the comment.
  const [type = '', blob = ''] = publicKey.split(' ');
  return `${markOf(requestor)}\n${type} ${blob}\n`;
}

export function noKeyFor(requestor: string): string {
  return `${markOf(requestor)}\n\n`;
}

function markOf(requestor: string): string {
  return `golem-share:${requestor}`;
}
