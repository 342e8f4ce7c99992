/** Asks `golem __complete` for every word; works without the package bash-completion. */
export const BASH = `# golem: completion for bash. Put this into ~/.bashrc: source <(golem completion bash)
_golem() {
  local line
  COMPREPLY=()
  while IFS= read -r line; do
    case $line in
      :files) compopt -o bashdefault -o default ;;
      :open) compopt -o nospace ;;
      *) COMPREPLY+=("\${line%%$'\\t'*}") ;;
    esac
  done < <("$1" __complete "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _golem golem
`;
