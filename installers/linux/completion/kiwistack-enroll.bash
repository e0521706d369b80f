# bash completion for kiwistack-enroll(8)                  -*- shell-script -*-

_kiwistack_enroll() {
  local cur=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command='' words='' word
  COMPREPLY=()
  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case $word in
      enroll | claim | status | doctor | check | mend | tunnel | renew | update | secure-disk | support-bundle | uninstall | help)
        command=$word
        break
        ;;
    esac
  done
  case $previous in
    --msp-roots | --output | --token)
      compopt -o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -f -- "$cur")
      return
      ;;
    --serial | --wait | --pin-fd | --passphrase-fd | --check) return ;;
    --reason)
      mapfile -t COMPREPLY < <(compgen -W 'network wake clock silent stale asked' -- "$cur")
      return
      ;;
    --by)
      mapfile -t COMPREPLY < <(compgen -W 'app daemon' -- "$cur")
      return
      ;;
  esac
  case $command in
    '') words='enroll claim status doctor check mend tunnel renew update secure-disk support-bundle uninstall help --version --help' ;;
    enroll) words='--serial --wait --pin-fd --msp-roots --sign-in --json --help' ;;
    claim) words='--token --msp-roots --json --help' ;;
    status) words='--watch --json --help' ;;
    doctor) words='--check --fix --json --help' ;;
    check) words='--json --help' ;;
    mend) words='--reason --json --help' ;;
    tunnel) words='--by --json --help' ;;
    renew) words='--json --help' ;;
    update) words='--json --help' ;;
    secure-disk) words='--agree --passphrase-fd --json --help' ;;
    support-bundle) words='--output --show --send --yes --json --help' ;;
    uninstall) words='--json --help' ;;
    help) words='enroll claim status doctor check mend tunnel renew update secure-disk support-bundle uninstall' ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}

complete -F _kiwistack_enroll kiwistack-enroll
