const bash = `_howdah() {
  local IFS=$'\\n'
  COMPREPLY=($(howdah complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _howdah howdah
`

const zsh = `_howdah() {
  local -a found
  found=("\${(@f)$(howdah complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  (( \${#found} )) && [[ -n $found[1] ]] && compadd -a found || _files
}
compdef _howdah howdah
`

const fish = `complete -c howdah -f -a '(howdah complete -- (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)'
`

/** What each shell has to run. They ask \`howdah complete\`, so that they go on fitting whatever release is installed. */
export const SCRIPTS: { readonly bash: string; readonly zsh: string; readonly fish: string } = {
  bash,
  zsh,
  fish,
}

export type Shell = keyof typeof SCRIPTS
