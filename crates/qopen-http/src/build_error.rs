//! A setting with which no client can be built.

/// A setting with which no sender can be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The base URL is not one.
    #[error(
        "the base URL {url:?} must begin with http:// or https:// and name a host, like https://gateway.example"
    )]
    BaseUrl {
        /// What was given, without what may be secret in it.
        url: String,
    },
    /// The base URL has a path. Every endpoint has its own.
    #[error("the base URL {url:?} has a path; the base URL is the host alone, like {host:?}")]
    BaseUrlPath {
        /// What was given.
        url: String,
        /// The same without the path.
        host: String,
    },
    /// Neither a token, nor credentials, nor a token source was given.
    #[error("no access token, app credentials or token source was given")]
    NoToken,
    /// The access token has characters that an HTTP header cannot carry, such as a line break.
    #[error("the access token has characters that an HTTP header cannot carry")]
    UnsendableToken,
    /// The URL to forward to is not one.
    #[error(
        "{url:?} must begin with http:// or https:// and name a host, like https://app.example/callback"
    )]
    ForwardUrl {
        /// Scheme and host of what was given: a path may be secret.
        url: String,
    },
    /// The proxy's URL is not one.
    #[error("the proxy is not a URL that can be used")]
    Proxy(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The proxy in an environment variable cannot be used.
    #[error("the proxy in the environment variable {variable} cannot be used")]
    ProxyVariable {
        /// The variable's name.
        variable: &'static str,
        /// What is wrong with it.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The list of hosts without a proxy, in an environment variable, cannot be used.
    #[error("the environment variable {variable} cannot be used")]
    NoProxyVariable {
        /// The variable's name.
        variable: &'static str,
        /// What is wrong with it.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The root certificate cannot be read.
    #[error("the extra root certificate is not a PEM certificate")]
    RootCertificate(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The HTTP client could not be made.
    #[error("the HTTP client could not be made")]
    Client(#[source] Box<dyn std::error::Error + Send + Sync>),
}
