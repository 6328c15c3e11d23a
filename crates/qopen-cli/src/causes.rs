//! Errors of libraries and of the system in Chinese.

use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind};

use qopen::callback::OpenError;
use qopen::engine::ParseMaxGoneError;
use qopen::http::{ProxyOrigin, ProxyUsed, SendError, TokenError};
use qopen::journal::JournalError;
use qopen::sink::{SinkError, shown_path};
use qopen::types::InvalidId;
use qopen::{PublishError, PullError};

use crate::lang::{Lang, Phrase};

/// An error with a text and no cause.
#[derive(Debug)]
pub(crate) struct Plain(Phrase);

impl Plain {
    pub(crate) fn new(text: impl Into<Phrase>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.english())
    }
}

impl Error for Plain {}

/// Returns an error without its causes, in Chinese where a translation is here, else in English.
pub(crate) fn chinese(error: &(dyn Error + 'static)) -> String {
    let known = error
        .downcast_ref()
        .map(|Plain(text)| text.of(Lang::Zh).to_owned())
        .or_else(|| error.downcast_ref().and_then(of_system))
        .or_else(|| error.downcast_ref().and_then(of_publication))
        .or_else(|| error.downcast_ref().and_then(of_sink))
        .or_else(|| error.downcast_ref().and_then(of_journal))
        .or_else(|| error.downcast_ref().and_then(of_pull))
        .or_else(|| error.downcast_ref().and_then(of_request))
        .or_else(|| error.downcast_ref::<Box<SendError>>().and_then(|it| of_request(it)))
        .or_else(|| error.downcast_ref().and_then(of_token))
        .or_else(|| error.downcast_ref().and_then(of_callback))
        .or_else(|| error.downcast_ref().and_then(of_id))
        .or_else(|| error.downcast_ref().map(of_limit));
    known.unwrap_or_else(|| of_client(error.to_string()))
}

/// Translates what the HTTP client says of a connection. Its types have no kinds for that.
fn of_client(text: String) -> String {
    match &*text {
        "error sending request" => "请求发送失败".to_owned(),
        "client error (Connect)" => "建立连接失败".to_owned(),
        "tcp connect error" => "TCP 连接失败".to_owned(),
        _ => text,
    }
}

/// Describes a proxy in Chinese.
pub(crate) fn of_proxy(proxy: &ProxyUsed) -> String {
    let origin = match proxy.origin {
        ProxyOrigin::Setting => "来自代理设置".to_owned(),
        ProxyOrigin::Environment(name) => format!("来自环境变量 {name}"),
        ProxyOrigin::System => "来自系统设置".to_owned(),
        _ => return proxy.to_string(),
    };
    format!("代理 {}（{origin}）", proxy.address)
}

fn through(proxy: Option<&ProxyUsed>) -> String {
    proxy.map(|it| format!("，经由{}", of_proxy(it))).unwrap_or_default()
}

fn of_system(error: &io::Error) -> Option<String> {
    // Without a number the text is a program's.
    let number = error.raw_os_error()?;
    let text = match error.kind() {
        ErrorKind::NotFound => "没有该文件或文件夹",
        ErrorKind::PermissionDenied => "没有权限",
        ErrorKind::AddrInUse => "地址已被占用",
        ErrorKind::AddrNotAvailable => "本机没有该地址",
        ErrorKind::ConnectionRefused => "连接被拒绝",
        ErrorKind::ConnectionReset => "连接被对方重置",
        ErrorKind::TimedOut => "超时",
        ErrorKind::StorageFull => "磁盘空间不足",
        ErrorKind::QuotaExceeded => "超出磁盘配额",
        ErrorKind::FileTooLarge => "文件过大",
        ErrorKind::ReadOnlyFilesystem => "文件系统只读",
        ErrorKind::IsADirectory => "是一个文件夹",
        ErrorKind::NotADirectory => "不是文件夹",
        ErrorKind::BrokenPipe => "管道已关闭",
        _ => return None,
    };
    Some(format!("{text}（os error {number}）"))
}

fn of_publication(error: &PublishError) -> Option<String> {
    Some(match error {
        PublishError::Sink(_) => "列表无法写出".to_owned(),
        PublishError::Journal(_) => "无法从持久化存储读取分页".to_owned(),
        PublishError::PagesMissing { expected, found } => {
            format!("合并过 {expected} 个客户，持久化存储中只有 {found} 个")
        }
        PublishError::Fenced => "另一工作进程正在发布该拉取的列表".to_owned(),
        PublishError::Superseded { pull, by } => {
            let by =
                by.as_ref().map_or("更晚的列表".to_owned(), |mark| format!("{mark} 的列表"));
            format!("未发布 {pull} 的列表：此前已发布{by}")
        }
        PublishError::Empty { robot } => {
            format!("机器人 {robot} 的列表为空，而它要替换的列表不为空；--allow-empty 可发布空列表")
        }
        PublishError::Held { robot, gone, before, limit, .. } => format!(
            "机器人 {robot} 的列表被拦下：上一份列表的 {before} 位客户中有 {gone} 位消失，超过 {limit}；`qopen pulls accept MARK` 可发布该列表"
        ),
        PublishError::PagesLost { robot, asked, present, .. } => format!(
            "机器人 {robot} 的列表所缺的 {asked} 位客户中，{present} 位仍在平台上，说明丢了分页；请重新拉取，或用 `qopen pulls accept MARK` 发布该列表"
        ),
        PublishError::RobotsLeftOut { robots, .. } => {
            let robots: Vec<_> = robots.iter().map(|it| it.robot_id.to_string()).collect();
            format!(
                "列表被拦下：缺少上一份列表中的机器人 {}；请一起拉取该文件的全部机器人，或不含它们发布：`qopen pulls accept MARK` 或 --new-baseline",
                robots.join("、")
            )
        }
        PublishError::Unverified { asked, unverified, .. } => format!(
            "消失的 {} 位客户中有 {unverified} 位无法核实；请重新拉取以询问其余客户，或不带 --verify-gone 拉取",
            asked + unverified
        ),
        PublishError::Unfit { location, .. } => format!("列表无法写出；全部内容在 {location} 中"),
        PublishError::Shutdown => "列表写出之前进程已停止".to_owned(),
        _ => return None,
    })
}

fn of_sink(error: &SinkError) -> Option<String> {
    Some(match error {
        SinkError::NoFolder { folder } => {
            format!("文件夹 {} 不存在；请创建它或选择其他输出位置", shown_path(folder))
        }
        SinkError::NotAFile { path } => format!("{} 不是普通文件，不会被替换", shown_path(path)),
        SinkError::Database(_) => "数据库无法写入".to_owned(),
        SinkError::NameTooLong { path, suffix } => {
            format!("名称 {} 加上 {suffix} 后超过文件系统允许的长度", shown_path(path))
        }
        SinkError::Superseded => "目标位置已有更晚的列表".to_owned(),
        SinkError::Declined => "不再由此处发布该列表".to_owned(),
        SinkError::Previous { path, problem } => format!(
            "新列表无法与上一份比较：{}：{problem}；请恢复该文件，或用 --new-baseline 重新开始",
            shown_path(path)
        ),
        SinkError::Replaced { path } => {
            format!("发布期间另一进程替换了 {}；请重新发布列表", shown_path(path))
        }
        SinkError::NotAList { path, problem } => {
            format!("{} 无法比较：{problem}", shown_path(path))
        }
        SinkError::Unreadable { path, problem } => {
            format!("{} 无法读取：{problem}", shown_path(path))
        }
        SinkError::Encode(_) => "有记录无法编码".to_owned(),
        _ => return None,
    })
}

fn of_journal(error: &JournalError) -> Option<String> {
    Some(match error {
        JournalError::Full { held, limit } => {
            format!("持久化存储已满：现有 {held} 字节，上限 {limit} 字节")
        }
        JournalError::Unavailable(_) => "持久化存储不可用".to_owned(),
        JournalError::Locked { holder } => format!("持久化存储正被另一进程使用（{holder}）"),
        JournalError::UnknownFormat { found, known } => {
            format!("持久化存储的格式为 {found}，本版本支持 {known}")
        }
        JournalError::Damaged(_) => "持久化存储中有记录损坏".to_owned(),
        JournalError::Fatal(_) => "持久化存储已彻底失效".to_owned(),
        _ => return None,
    })
}

fn of_pull(error: &PullError) -> Option<String> {
    Some(match error {
        PullError::Start(_) => "拉取无法开始".to_owned(),
        PullError::InJournal => {
            "持久化存储中已有该机器人与标记的拉取；请继续它，或使用其他标记".to_owned()
        }
        PullError::NotInJournal => {
            "持久化存储中没有该机器人与标记的拉取；是否写入了其他文件夹？".to_owned()
        }
        PullError::UnderWay => "该拉取正在进行；请先结束它".to_owned(),
        PullError::Journal(_) => "无法使用持久化存储".to_owned(),
        PullError::Place(_) => "目标位置没有给出序号".to_owned(),
        PullError::Fenced => "另一工作进程已接管该拉取，或它已被释放".to_owned(),
        PullError::Closed => "引擎已停止".to_owned(),
        _ => return None,
    })
}

fn of_request(error: &SendError) -> Option<String> {
    Some(match error {
        SendError::Redirected { endpoint, status, location, proxy } => format!(
            "{endpoint}：HTTP 状态 {status}{} 重定向到 {location}；不会跟随重定向，请检查网关地址",
            through(proxy.as_ref())
        ),
        SendError::Response { endpoint, proxy, .. } => {
            format!("{endpoint}：应答不是应有的 JSON 对象{}", through(proxy.as_ref()))
        }
        SendError::Content { endpoint, .. } => format!("{endpoint}：应答缺少应有的内容"),
        SendError::Transport { endpoint, proxy, .. } => {
            format!("{endpoint}：无法连接网关，或网关没有及时应答{}", through(proxy.as_ref()))
        }
        SendError::Encode { endpoint, .. } => format!("{endpoint}：请求无法写成 JSON"),
        SendError::Token(_) => "没有可用的访问令牌".to_owned(),
        _ => return None,
    })
}

fn of_token(error: &TokenError) -> Option<String> {
    Some(match error {
        TokenError::Request(_) => "向网关请求访问令牌失败".to_owned(),
        TokenError::Response(_) => "网关的应答中没有访问令牌".to_owned(),
        TokenError::Fixed => "固定的访问令牌未被接受，且没有其他令牌".to_owned(),
        TokenError::Unsendable => "访问令牌含有 HTTP 头不能携带的字符".to_owned(),
        TokenError::Shared(inner) => return of_token(inner),
        TokenError::Source(_) => "令牌来源出错".to_owned(),
        _ => return None,
    })
}

fn of_callback(error: &OpenError) -> Option<String> {
    Some(match error {
        OpenError::Empty => "请求体为空".to_owned(),
        OpenError::NotJson(_) => "请求体不是 JSON".to_owned(),
        OpenError::NotAnObject => "请求体不是 JSON 对象".to_owned(),
        OpenError::MissingField { field } => format!("信封缺少字段 `{field}`"),
        OpenError::FieldType { field } => format!("信封的 `{field}` 既不是字符串也不是数字"),
        OpenError::Stale { away } => {
            format!("时间戳与本机时钟相差 {} 秒，而旧的回调会被拒绝", away.as_secs())
        }
        OpenError::Length { bytes } => {
            format!("加密内容有 {bytes} 字节，不是 16 的正整数倍")
        }
        OpenError::AppKey => "信封中的应用 key 与配置不同".to_owned(),
        OpenError::Signature => "签名不符；回调令牌是否正确？".to_owned(),
        OpenError::TimestampUnreadable => "时间戳不是以秒计的数字".to_owned(),
        OpenError::Base64(_) => "内容不是 base64".to_owned(),
        OpenError::Padding => "解密后的内容没有有效的填充；EncodingAESKey 是否正确？".to_owned(),
        _ => return None,
    })
}

fn of_id(error: &InvalidId) -> Option<String> {
    Some(match error {
        InvalidId::Empty => "ID 不能为空".to_owned(),
        InvalidId::TooLong { limit, actual } => {
            format!("ID 最多 {limit} 字节；此 ID 有 {actual} 字节")
        }
        InvalidId::ControlCharacter => "ID 不能含有控制字符".to_owned(),
        InvalidId::Hole => "ID 不能含有 U+FFFD".to_owned(),
        _ => return None,
    })
}

fn of_limit(_: &ParseMaxGoneError) -> String {
    "请给出客户数（例如 200），或 0% 到 100% 的百分比（例如 2.5%）".to_owned()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn known_errors_are_chinese_and_others_stay_as_they_are() {
        let full = io::Error::from(ErrorKind::StorageFull);
        assert_eq!(chinese(&full), full.to_string(), "it has no number of the system");
        #[cfg(unix)]
        assert_eq!(chinese(&io::Error::from_raw_os_error(2)), "没有该文件或文件夹（os error 2）");
        let folder = PathBuf::from("lists");
        let sink = PublishError::Sink(SinkError::NoFolder { folder });
        let source = sink.source().expect("a cause");
        assert_eq!(chinese(&sink), "列表无法写出");
        assert_eq!(chinese(source), "文件夹 lists 不存在；请创建它或选择其他输出位置");
        assert_eq!(chinese(&std::fmt::Error), std::fmt::Error.to_string());
    }
}
