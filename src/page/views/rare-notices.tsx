import { askedModel } from '../link.ts';
import { unkept } from '../models.ts';
import { nameOf } from '../sources.ts';
import { strings } from '../strings.ts';
import { openModelDialog } from './dialogs.tsx';
import { Notice } from './notice.tsx';
import { words } from './words.ts';

export function UnkeptNotice() {
  if (!unkept.value) return null;
  const { name, why } = unkept.value;
  return (
    <Notice text={words.unkept(name)} onDismiss={() => (unkept.value = undefined)}>
      <details>
        <summary>{strings.details}</summary>
        <p>{why}</p>
      </details>
    </Notice>
  );
}

export function AskedModelNotice() {
  const ref = askedModel.value;
  if (!ref) return null;
  return (
    <Notice text={words.asksLink(nameOf(ref))} onDismiss={() => (askedModel.value = undefined)}>
      <div class="ways">
        <button type="button" class="plain" onClick={() => openModelDialog(ref)}>
          {words.findIt}
        </button>
      </div>
    </Notice>
  );
}
