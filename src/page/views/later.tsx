import type { ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';

interface Props<P> {
  load: () => Promise<ComponentType<P>>;
  with: P;
  onFailure: (error: unknown) => void;
}

/** A component whose code is fetched when it is first shown; nothing stands in its place until then. */
export function Later<P extends object>({ load, with: props, onFailure }: Props<P>) {
  // In an object: a state setter would call a bare function.
  const [view, setView] = useState<{ Component: ComponentType<P> } | undefined>(undefined);
  useEffect(() => {
    load().then((Component) => setView({ Component }), onFailure);
  }, []);
  return view ? <view.Component {...props} /> : null;
}
