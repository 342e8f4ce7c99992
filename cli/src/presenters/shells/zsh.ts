/** Works when it is sourced, and as a file `_golem` in a folder of `$fpath`. */
export const ZSH = `#compdef golem
# golem: completion for zsh. Put this into ~/.zshrc, behind compinit: source <(golem completion zsh)
_golem() {
  local line files= open=
  local -a candidates suffix
  for line in "\${(@f)$("$words[1]" __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    case $line in
      '') ;;
      :files) files=1 ;;
      :open) suffix=(-S '') ;;
      *) candidates+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}") ;;
    esac
  done
  (( $#candidates )) && _describe golem candidates $suffix
  [[ -n $files ]] && _files
}
if [[ $funcstack[1] == _golem ]]; then
  _golem "$@"
else
  compdef _golem golem
fi
`;
