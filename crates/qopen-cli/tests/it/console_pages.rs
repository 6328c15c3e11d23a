//! Pages of the console as programs without JavaScript see them.

use reqwest::header::{ACCEPT_LANGUAGE, HeaderMap};
use reqwest::{Client, Response, redirect};

use crate::served::Served;

/// A reader without JavaScript, who follows no redirect.
pub(crate) struct Reader<'a> {
    served: &'a Served,
    http: Client,
    language: &'static str,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(served: &'a Served, language: &'static str) -> Self {
        let http = Client::builder().no_proxy().redirect(redirect::Policy::none());
        Self { served, http: http.build().unwrap(), language }
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        let url = format!("{}{path}", self.served.control);
        self.http.get(url).header(ACCEPT_LANGUAGE, self.language).send().await.unwrap()
    }

    /// The page at a path.
    pub(crate) async fn page(&self, path: &str) -> String {
        let answer = self.get(path).await;
        assert_eq!(answer.status(), 200, "{path}");
        answer.text().await.unwrap()
    }

    /// Sends a form with these headers.
    pub(crate) async fn send(&self, path: &str, form: &str, headers: HeaderMap) -> Response {
        let request = self.http.post(format!("{}{path}", self.served.control)).headers(headers);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let request = request.header(ACCEPT_LANGUAGE, self.language);
        request.body(form.to_owned()).send().await.unwrap()
    }

    /// Sends the form of a page with this action, with all its fields, and returns the next page.
    pub(crate) async fn submit(&self, page: &str, action: &str) -> String {
        let form = form_of(page, action);
        let answer = self.send(action, &form, HeaderMap::new()).await;
        assert_eq!(answer.status(), 303, "{action}");
        let location = answer.headers()["location"].to_str().unwrap().to_owned();
        self.page(&location).await
    }
}

/// Returns the fields of the form with this action, encoded.
pub(crate) fn form_of(page: &str, action: &str) -> String {
    let (_, form) =
        page.split_once(&format!("action=\"{action}\"")).expect("the page has the form");
    let form = form.split("</form>").next().unwrap();
    let fields = form.split("<input type=\"hidden\" name=\"").skip(1).map(|it| {
        let (name, rest) = it.split_once("\" value=\"").unwrap();
        let value = rest.split_once('"').unwrap().0;
        let value = value.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">");
        let value = value.replace("&amp;", "&");
        let encoded: String = value.bytes().map(|byte| format!("%{byte:02X}")).collect();
        format!("{name}={encoded}")
    });
    fields.collect::<Vec<_>>().join("&")
}
