import { Component, type ReactNode } from "react";
import { strings } from "../strings";

/** Says so where a page cannot be shown: a fault of ours, or a file of an older version that the server no longer has. */
export class Failure extends Component<{ children: ReactNode }, { failed: boolean }> {
  override state = { failed: false };

  static getDerivedStateFromError() {
    return { failed: true };
  }

  override render() {
    if (!this.state.failed) return this.props.children;
    return (
      <main role="alert">
        <h1>{strings.app.pageFailed}</h1>
        <p>{strings.app.newVersion}</p>
        <button type="button" onClick={() => location.reload()}>
          {strings.app.reload}
        </button>
      </main>
    );
  }
}
