//! The error of a builder.

/// A missing or unusable setting of a sender or forwarder.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The base URL is invalid.
    #[error(
        "the base URL {url:?} must begin with http:// or https:// and name a host, like https://gateway.example"
    )]
    BaseUrl {
        /// The URL, without what may be secret in it.
        url: String,
    },
    /// The base URL has a path. Every endpoint has its own.
    #[error("the base URL {url:?} has a path; the base URL is the host alone, like {host:?}")]
    BaseUrlPath {
        /// The URL.
        url: String,
        /// The URL without its path.
        host: String,
    },
    /// No token, credentials or token source was set.
    #[error("no access token, app credentials or token source was given")]
    NoToken,
    /// The access token has characters that an HTTP header cannot carry, such as a line break.
    #[error("the access token has characters that an HTTP header cannot carry")]
    UnsendableToken,
    /// The URL to forward to is invalid.
    #[error(
        "{url:?} must begin with http:// or https:// and name a host, like https://app.example/callback"
    )]
    ForwardUrl {
        /// Scheme and host of the URL: a path may be secret.
        url: String,
    },
    /// The proxy's URL is invalid.
    #[error("the proxy is not a URL that can be used")]
    Proxy(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The proxy in an environment variable is unusable.
    #[error("the proxy in the environment variable {variable} cannot be used")]
    ProxyVariable {
        /// The variable's name.
        variable: &'static str,
        /// The reason.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The list of hosts without a proxy, in an environment variable, is unusable.
    #[error("the environment variable {variable} cannot be used")]
    NoProxyVariable {
        /// The variable's name.
        variable: &'static str,
        /// The reason.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The root certificate cannot be read.
    #[error("the extra root certificate is not a PEM certificate")]
    RootCertificate(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The HTTP client failed to start.
    #[error("the HTTP client failed to start")]
    Client(#[source] Box<dyn std::error::Error + Send + Sync>),
}
