import type { ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { explain } from '../failure.ts';
import { failure } from '../models.ts';
import { embedded } from '../sources.ts';

interface Props<P> {
  load: () => Promise<ComponentType<P>>;
  with: P;
  onFailure?: (error: unknown) => void;
}

const tell = (error: unknown) => {
  failure.value = explain(error, embedded, 'load');
};

/** A component whose code is fetched when it is first shown; nothing stands in its place until then. */
export function Later<P extends object>({ load, with: props, onFailure = tell }: Props<P>) {
  // In an object: a state setter would call a bare function.
  const [view, setView] = useState<{ Component: ComponentType<P> } | undefined>(undefined);
  useEffect(() => {
    load().then((Component) => setView({ Component }), onFailure);
  }, []);
  return view ? <view.Component {...props} /> : null;
}
