# Completion for `npx zx scripts/NAME.mjs …` in zsh. In another folder's scripts, and wherever there is nothing to
# offer, the shell completes file names as ever.
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }

typeset -g _canvas_host_scripts=$(cd -q -- @scripts@ 2>/dev/null && pwd -P)

_canvas_host() {
  local at=2 script line
  local -a found
  if [[ ${words[1]:t} == npx ]]; then
    [[ ${words[2]} == zx ]] || { _default; return }
    at=3
  fi
  script=${(Q)words[at]}
  if (( CURRENT == at )); then
    _canvas_host_names "$script"
  elif (( CURRENT > at )) && _canvas_host_is_ours "${script:h}" && [[ -f $_canvas_host_scripts/${script:t} ]]; then
    # One word here may be --target=dev.
    local -a typed=("${(@Q)words[at + 1, CURRENT]}")
    if [[ $typed[-1] == --*=* ]]; then
      compset -P '*='
      typed[-1]=("${typed[-1]%%=*}" "${typed[-1]#*=}")
    fi
    found=("${(@f)$(SHELL=zsh node "$_canvas_host_scripts/${script:t}" --get-yargs-completions "${typed[@]}" </dev/null 2>/dev/null)}")
    found=("${(@)found:#}")
    if (( $#found )); then _describe value found; else _default; fi
  else
    _default
  fi
}

# The scripts that begin as $1 does.
_canvas_host_names() {
  local folder=${1:h}
  [[ $1 == */* ]] || folder=scripts
  if [[ ( $1 == */* || scripts == $1* ) ]] && _canvas_host_is_ours "$folder"; then
    local -a names=("$_canvas_host_scripts"/*.mjs(:t))
    compadd -- "$folder/"${^names}
  else
    _default
  fi
}

# Does the folder $1 hold the scripts of this checkout?
_canvas_host_is_ours() {
  [[ -n $_canvas_host_scripts && $(cd -q -- "$1" 2>/dev/null && pwd -P) == $_canvas_host_scripts ]]
}

compdef _canvas_host npx zx
