#compdef kiwistack-enroll

local -a commands
commands=(
  'enroll:enroll this laptop, or resume an interrupted enrollment'
  'claim:claim this laptop with the token that its maker put on it'
  'status:show the enrollment and whether each part of it works'
  'doctor:examine this laptop and its enrollment'
  'check:ask the slice for the status of this laptop, and report a pending deregistration'
  'mend:bring a tunnel back that does not answer'
  'tunnel:on macOS, have the WireGuard app keep the tunnel'
  'renew:renew the device certificate now'
  'update:install the version that the provider has released'
  'secure-disk:have the organisation keep a recovery key for the disk'
  'support-bundle:write what helps to find out what is wrong into a file'
  'uninstall:deregister this laptop and remove its enrollment'
  'help:display help for a command'
)

local context state state_descr line
typeset -A opt_args
_arguments -C \
  '(- *)'{-V,--version}'[output the version number]' \
  '(- *)'{-h,--help}'[display help]' \
  '1: :->command' \
  '*:: :->arguments' && return 0

case $state in
  command) _describe -t commands command commands ;;
  arguments)
    case $line[1] in
      enroll)
        _arguments \
          '--serial[use the YubiKey with this serial number]:serial number: ' \
          '--wait[how long to wait for a YubiKey]:seconds: ' \
          '--pin-fd[read the PIN from this open file descriptor]:descriptor: ' \
          "--msp-roots[PEM file with the provider's root certificates]:file:_files" \
          '--sign-in[let people sign in with the account of your organisation]' \
          '--json[print one JSON event per line]' \
          '(- *)'{-h,--help}'[display help]'
        ;;
      claim)
        _arguments \
          '--token[the token]:file:_files' \
          "--msp-roots[PEM file with the provider's root certificates]:file:_files" \
          '--json[print one JSON event per line]' \
          '(- *)'{-h,--help}'[display help]'
        ;;
      status) _arguments '--watch[stay, and show what changes]' '--json[print the status as JSON]' '(- *)'{-h,--help}'[display help]' ;;
      doctor)
        _arguments \
          '*--check[only this check, and those that it depends on]:check: ' \
          '--fix[repair what needs no decision]' \
          '--json[print the result as JSON]' \
          '(- *)'{-h,--help}'[display help]'
        ;;
      check) _arguments '--json[print the result as JSON]' '(- *)'{-h,--help}'[display help]' ;;
      mend)
        _arguments '--reason[why, for the log]:word:(network wake clock silent stale asked)' '--json[print the result as JSON]' \
          '(- *)'{-h,--help}'[display help]'
        ;;
      tunnel)
        _arguments '--by[what keeps the tunnel]:keeper:(app daemon)' '--json[print one JSON event per line]' \
          '(- *)'{-h,--help}'[display help]'
        ;;
      renew) _arguments '--json[print the result as JSON]' '(- *)'{-h,--help}'[display help]' ;;
      update) _arguments '--json[print the result as JSON]' '(- *)'{-h,--help}'[display help]' ;;
      secure-disk)
        _arguments '--agree[on your own laptop, agree to it]' '--passphrase-fd[read the passphrase from this descriptor]:descriptor: ' \
          '--json[print the result as JSON]' '(- *)'{-h,--help}'[display help]'
        ;;
      support-bundle)
        _arguments \
          '--output[the file to write, which must not be there yet]:file:_files' \
          '--show[print all that is in it]' \
          "--send[send it to the organisation's slice, after a question]" \
          '--yes[do not ask before it is sent]' \
          '--json[print the result as JSON]' \
          '(- *)'{-h,--help}'[display help]'
        ;;
      uninstall) _arguments '--json[print one JSON event per line]' '(- *)'{-h,--help}'[display help]' ;;
      help) _describe -t commands command commands ;;
    esac
    ;;
esac
