import { Link } from "react-router";
import { Page } from "../../layout/page";
import { strings } from "../../strings";

export default function NotFound() {
  const text = strings.notFound;
  return (
    <Page title={strings.pages.notFound} heading={text.heading} lead={text.text}>
      <p>
        <Link to="/">{text.home}</Link>
      </p>
    </Page>
  );
}
