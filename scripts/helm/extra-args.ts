import { ControllerImplementation } from '../../src';
import { takenControllerFlags } from '../../src/install/controller';
import type { TakenFlags } from '../../src/install/extra-args';
import { TAKEN_ROUTER_FLAGS } from '../../src/install/router-flags';
import { KNOBS } from './knobs';

/** Refuses further arguments that repeat a flag, as the construct does. */
export function extraArgsChecks(): string {
  return check('controller.extraArgs', takenControllerFlags(ControllerImplementation.BUNDLED))
    + `{{- if .Values.router.enabled }}\n${check('router.extraArgs', TAKEN_ROUTER_FLAGS)}{{- end }}\n`;
}

function check(value: string, taken: TakenFlags): string {
  const flags = [...taken].map(([flag, props]) => `${JSON.stringify(flag)} ${JSON.stringify(props.map(valueOf).join(' or '))}`);
  return `{{- $values := dict
  ${flags.join('\n  ')} }}
{{- $before := dict }}
{{- range $arg := .Values.${value} }}
{{- if regexMatch "^[[:space:]]*--?[^-=[:space:]]" $arg }}
{{- $flag := trim $arg | trimPrefix "-" | trimPrefix "-" | splitList "=" | first }}
{{- $flag = splitList " " $flag | first }}
{{- if hasKey $values $flag }}
{{- fail (printf "${value} has %q: use the value %s" $arg (get $values $flag)) }}
{{- end }}
{{- if hasKey $before $flag }}
{{- fail (printf "${value} has %q: the flag is in the list already: remove one" $arg) }}
{{- end }}
{{- $_ := set $before $flag true }}
{{- end }}
{{- end }}
`;
}

/** The value of the chart that is a prop. */
function valueOf(prop: string): string {
  const knob = KNOBS.find(each => each.prop === prop);
  if (!knob) {
    throw new Error(`no value is the prop ${prop}`);
  }
  return knob.value;
}
